// What the program has recorded, judged by ffmpeg.

import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { until } from "./checks.mjs";

const execute = promisify(execFile);
/** Frames of some seconds: of sound with 20 ms each, of pictures with 15 a second at least. */
const ENOUGH = { opus: 100, ivf: 30 };

/** There is one file of each kind, and all of it decodes. */
export async function recordingsDecode(program, kinds) {
  await until("Rust closes its files", program.said, (text) => /call 1: over/.test(text));
  const files = readdirSync(program.out);
  for (const kind of kinds) {
    const [file, ...others] = files.filter((name) => name.endsWith(`.${kind}`));
    if (!file || others.length > 0) throw new Error(`the recordings are ${files.join()}`);
    const frames = await decode(join(program.out, file));
    if (frames !== undefined && frames < ENOUGH[kind]) throw new Error(`${file} has ${frames} frames`);
  }
}

/** How many frames a file decodes to; nothing where there is no ffmpeg to tell. */
async function decode(file) {
  try {
    const { stdout, stderr } = await execute("ffmpeg", ["-nostdin", "-v", "error", "-i", file, "-f", "framecrc", "-"]);
    if (stderr) throw new Error(`${file}: ${stderr}`);
    return stdout.split("\n").filter((line) => line && !line.startsWith("#")).length;
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    console.log("skipped: the recordings are not decoded, ffmpeg is not installed");
    return undefined;
  }
}
