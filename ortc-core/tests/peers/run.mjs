// Calls between the browser example and other implementations of WebRTC.
//
//   node run.mjs PROGRAM                    every peer that can be installed, every call
//   node run.mjs PROGRAM --only TEXT        peers and calls whose names have TEXT
//   node run.mjs PROGRAM --write-readme     puts the table of the results into README.md
//   node run.mjs PROGRAM --scratch FOLDER   installs there and keeps it; a folder of its own by default

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

import { start } from "../browsers/program.mjs";
import { CALLS, makeCall } from "./calls.mjs";
import { Peer } from "./peer.mjs";
import { PEERS } from "./peers.mjs";
import { Rust } from "./rust.mjs";
import { Scratch } from "./scratch.mjs";
import { writeReadme } from "./table.mjs";

const { values, positionals: [program] } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: "string", default: "" },
    scratch: { type: "string" },
    "write-readme": { type: "boolean" },
  },
});
if (values.only && values["write-readme"]) throw new Error("the table is one of all calls");
const folder = resolve(values.scratch ?? mkdtempSync(join(tmpdir(), "ortc-peers-")));
const scratch = new Scratch(folder);
const { WebSocket } = await tools();

/** What every call needs: signalling, and a judge of what was recorded. */
async function tools() {
  try {
    await scratch.program("ffmpeg");
    return (await scratch.npm("signalling", ["ws"])).load("ws");
  } catch (error) {
    console.log(`skipped: ${error.message}`);
    return process.exit(0);
  }
}

async function attempt(call, traits, how) {
  const running = await start(program, call.options);
  const peer = new Peer(how.command, { cwd: how.cwd, env: { ...how.env, ...call.env } });
  const rust = await Rust.call(running.url, WebSocket);
  try {
    return await makeCall(call, { rust, peer, program: running, traits });
  } catch (error) {
    const log = peer.log.split("\n").slice(-20).join("\n");
    const said = [running.said(), JSON.stringify(rust.figures), peer.states.join(), log];
    console.log(said.join("\n").replace(/^/gm, "    "));
    throw error;
  } finally {
    await peer.stop();
    rust.close();
    running.stop();
    rmSync(running.out, { recursive: true });
  }
}

const results = [];
for (const { name, install, calls = CALLS, ...traits } of PEERS) {
  const wanted = calls.filter((call) => `${name}: ${call.name}`.includes(values.only));
  if (wanted.length === 0) continue;
  const result = { name, traits, calls: [] };
  results.push(result);
  let how;
  try {
    how = await install(scratch);
  } catch (error) {
    result.skipped = error.message;
    console.log(`${name}: skipped, it cannot be installed: ${error.message}`);
    continue;
  }
  result.version = how.version;
  console.log(`${name}: installed ${how.version}`);
  for (const call of wanted) {
    const began = Date.now();
    const outcome = { name: call.name };
    try {
      outcome.seen = await attempt(call, traits, how);
    } catch (error) {
      outcome.failure = error.message;
    }
    result.calls.push(outcome);
    const seconds = ((Date.now() - began) / 1000).toFixed(1);
    console.log(`  ${call.name.padEnd(32)} ${seconds.padStart(5)} s  ${outcome.failure ?? summary(outcome.seen)}`);
  }
}
if (values["write-readme"]) writeReadme(results);
if (!values.scratch) rmSync(folder, { recursive: true });
process.exit(results.some(({ calls }) => calls.some(({ failure }) => failure)) ? 1 : 0);

function summary({ dtls, srtp, tones, again, dropped }) {
  const heard = [tones.byPeer && "to the peer", tones.byRust && "to Rust"].filter(Boolean).join(" and ");
  const facts = [`${dtls.version}, ${dtls.cipher}, ${srtp}`, "sound and pictures decoded"];
  facts.push(`tones ${heard || "not offered"}`, `sent again ${again.toPeer} to the peer and ${again.toRust} to Rust`);
  facts.push(...Object.entries(dropped).map(([reason, count]) => `${count} dropped: ${reason}`));
  return `ok: ${facts.join("; ")}`;
}
