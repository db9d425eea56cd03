// A peer: a process that says what it sees, a line of JSON at a time.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

import { sleep } from "../browsers/checks.mjs";

export class Peer {
  #child;
  #ended = false;
  log = "";
  states = [];
  seen = { audio: { count: 0 }, video: { count: 0 }, tones: "" };
  offer;
  answer;

  constructor([command, ...words], { cwd, env }) {
    const options = { cwd, env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "pipe"] };
    this.#child = spawn(command, words, options);
    this.#child.on("error", (error) => { this.log += error.message; });
    this.#child.on("exit", () => { this.#ended = true; });
    this.#child.stdin.on("error", () => {});
    this.#child.stderr.on("data", (data) => { this.log += data; });
    createInterface({ input: this.#child.stdout }).on("line", (line) => this.#hear(line));
  }

  #hear(line) {
    let message;
    try {
      message = JSON.parse(line);
    } catch {
      this.log += `${line}\n`;
      return;
    }
    for (const name of ["offer", "answer", "seen"]) if (message[name]) this[name] = message[name];
    if (message.state) this.states.push(message.state);
    if (message.error) this.log += `${message.error}\n`;
  }

  /** One of: offer, take, dial, close. */
  tell(message) {
    if (this.#ended) throw new Error("the peer has ended");
    this.#child.stdin.write(`${JSON.stringify(message)}\n`);
  }

  async stop() {
    this.#child.stdin.end();
    for (let times = 0; times < 10 && !this.#ended; times += 1) await sleep(100);
    if (!this.#ended) this.#child.kill("SIGKILL");
  }
}
