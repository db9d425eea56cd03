// The program under test: the WHIP example.

import { spawn } from "node:child_process";

/** Starts it on free ports: `whip(room)` and `whep(room)` are its endpoints. */
export async function start(binary, options = []) {
  const child = spawn(binary, ["--http", "127.0.0.1:0", ...options], { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  const url = await new Promise((done, failed) => {
    const hear = (data) => {
      text += data;
      const found = /Publish to http:\/\/127\.0\.0\.1:(\d+)[^]*Media on/.exec(text);
      if (found) done(`http://127.0.0.1:${found[1]}`);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.on("exit", (code) => failed(new Error(`the program ended with ${code}:\n${text}`)));
    child.on("error", failed);
  });
  return {
    url,
    whip: (room) => `${url}/whip/${room}`,
    whep: (room) => `${url}/whep/${room}`,
    said: () => text,
    stop: () => child.kill(),
  };
}
