// The program under test: the browser example.

import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export async function start(binary, options) {
  const out = mkdtempSync(join(tmpdir(), "ortc-"));
  const child = spawn(binary, ["--port", "0", "--out", out, ...options], { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  const url = await new Promise((done, failed) => {
    const hear = (data) => {
      text += data;
      const found = /Open (http:\S+)/.exec(text);
      if (found) done(found[1]);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.on("exit", (code) => failed(new Error(`the program ended with ${code}:\n${text}`)));
    child.on("error", failed);
  });
  return { url, out, said: () => text, stop: () => child.kill() };
}
