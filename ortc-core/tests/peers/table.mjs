// The table of the results in the README, between two markers.

import { readFileSync, writeFileSync } from "node:fs";

const README = new URL("../../../README.md", import.meta.url);
const BEGIN = "<!-- peers: begin -->\n", END = "<!-- peers: end -->";
const HEAD = ["Peer", "Installed", "Calls", "DTLS and SRTP", "Sound and pictures", "Tones", "Sent again when lost", "End told by DTLS"];

const unique = (list) => [...new Set(list)].join(", ");
/** What holds in the directions named. */
function directions(toPeer, toRust) {
  if (toPeer && toRust) return "both ways";
  if (toPeer) return "to the peer";
  return toRust ? "to Rust" : "–";
}

function rowOf({ name, version, skipped, traits, calls }) {
  if (skipped) return [name, "cannot be installed", "skipped", "", "", "", "", ""];
  const passed = calls.filter(({ failure }) => !failure).map(({ seen }) => seen);
  const failed = calls.filter(({ failure }) => failure).map((call) => call.name);
  const score = `${passed.length} of ${calls.length}`;
  const ciphers = passed.map(({ dtls }) => dtls.cipher.replace(/^TLS_/, "").replace("_WITH_", " "));
  const media = traits.echoes ? "there and back, decoded" : "both ways, decoded";
  const tones = passed.map((seen) => seen.tones);
  const again = passed.map((seen) => seen.again);
  return [
    name,
    version,
    failed.length > 0 ? `${score}; failed: ${failed.join(", ")}` : score,
    `${unique(passed.map(({ dtls }) => dtls.version))}: ${unique(ciphers)}; ${unique(passed.map(({ srtp }) => srtp))}`,
    passed.length > 0 ? media : "–",
    traits.echoes ? "there and back" : directions(tones.some(({ byPeer }) => byPeer), tones.some(({ byRust }) => byRust)),
    again.length > 0 ? directions(again.some(({ toPeer }) => toPeer > 0), again.some(({ toRust }) => toRust > 0)) : "–",
    passed.length > 0 ? directions(traits.hearsGoodbye, traits.saysGoodbye) : "–",
  ];
}

/** Writes the rows of these results, and keeps those of other peers. */
export function writeReadme(results, names) {
  const readme = readFileSync(README, "utf8");
  const begin = readme.indexOf(BEGIN) + BEGIN.length, end = readme.indexOf(END);
  if (begin < BEGIN.length || end < begin) throw new Error("README.md has no place for the table");
  const kept = readme.slice(begin, end).split("\n").filter((line) => line.startsWith("| "));
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const rows = names.map((name) => {
    const result = results.find((each) => each.name === name);
    return result ? line(rowOf(result)) : kept.find((row) => row.startsWith(`| ${name} |`));
  });
  const lines = [line(HEAD), line(HEAD.map(() => "---")), ...rows.filter(Boolean)];
  writeFileSync(README, `${readme.slice(0, begin)}${lines.join("\n")}\n${readme.slice(end)}`);
}
