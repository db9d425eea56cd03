// Janus: a server in C, with libnice, OpenSSL and libsrtp. Its echo test sends back what it gets.
//
// PEER_ICE_LITE and PEER_RSA, where set, make it that.

import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

import WebSocket from "ws";

import { obey, say } from "./lines.mjs";

const INSTALLED = "/etc/janus/janus.jcfg";
const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

function freePort() {
  const server = createServer();
  return new Promise((done) => server.listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => done(port));
  }));
}

/** Starts the server with this plugin and this transport only. */
async function startServer(port) {
  const folder = join(process.cwd(), "configuration");
  mkdirSync(folder, { recursive: true });
  const installed = readFileSync(INSTALLED, "utf8");
  const folders = installed.match(/^\s*(plugins|transports|events|loggers)_folder = "[^"]*"/gm).join("\n");
  writeFileSync(join(folder, "janus.jcfg"), `
    general: { ${folders} debug_level = 2 }
    certificates: { rsa_private_key = ${Boolean(process.env.PEER_RSA)} }
    nat: { ice_lite = ${Boolean(process.env.PEER_ICE_LITE)} }
    transports: { disable = "libjanus_http.so,libjanus_mqtt.so,libjanus_nanomsg.so,libjanus_pfunix.so,libjanus_rabbitmq.so" }
  `);
  writeFileSync(join(folder, "janus.transport.websockets.jcfg"),
    `general: { ws = true ws_port = ${port} ws_ip = "127.0.0.1" } admin: { admin_ws = false }`);
  const server = spawn("janus", ["--configs-folder", folder, "--disable-colors"], { stdio: ["ignore", 2, 2] });
  process.on("exit", () => server.kill("SIGKILL"));
}

class Janus {
  #socket;
  #waiting = new Map();
  #session;
  #handle;
  onEvent = () => {};

  async connect(port) {
    for (let times = 0; !this.#socket; times += 1) {
      const socket = new WebSocket(`ws://127.0.0.1:${port}`, "janus-protocol");
      const opened = await new Promise((done) => {
        socket.on("open", () => done(true));
        socket.on("error", () => done(false));
      });
      if (opened) this.#socket = socket;
      else if (times === 50) throw new Error("Janus does not answer");
      else await sleep(100);
    }
    this.#socket.on("message", (text) => this.#hear(JSON.parse(text)));
    this.#session = (await this.ask({ janus: "create" })).data.id;
    this.#handle = (await this.ask({ janus: "attach", plugin: "janus.plugin.echotest" })).data.id;
  }

  #hear(message) {
    this.#waiting.get(message.transaction)?.(message);
    this.onEvent(message);
  }

  ask(request) {
    const transaction = String(Math.random());
    const to = { session_id: this.#session, handle_id: this.#handle };
    this.#socket.send(JSON.stringify({ transaction, ...to, ...request }));
    return new Promise((done) => this.#waiting.set(transaction, done));
  }
}

const port = await freePort();
await startServer(port);
const janus = new Janus();
await janus.connect(port);
janus.onEvent = (event) => {
  if (event.jsep) say({ answer: event.jsep.sdp });
  if (event.janus === "webrtcup") say({ state: "connected" });
  if (event.janus === "hangup") say({ state: "closed" });
  if (event.janus === "slowlink" || event.plugindata?.data?.error) say({ log: event });
};

obey({
  take: (jsep) => janus.ask({ janus: "message", body: { audio: true, video: true }, jsep: { ...jsep, trickle: false } }),
  close: () => janus.ask({ janus: "hangup" }),
});
