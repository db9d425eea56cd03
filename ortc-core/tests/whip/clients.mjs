// Clients that are no browser: how each is found, and what it does with a browser at the other end.

import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { decodes } from "./cases.mjs";
import { sleep, until } from "../browsers/checks.mjs";

const execute = promisify(execFile);
const HERE = dirname(fileURLToPath(import.meta.url));
const PYTHON = join(HERE, "environment", "bin", "python");
/** Octets of sound and pictures that a client must have decoded after some seconds. */
const ENOUGH = { audio: 48_000, video: 30 };

/** A Python with packages, in a folder beside this file; says why there is none. */
async function pip(packages) {
  try {
    if (!existsSync(PYTHON)) await execute("python3", ["-m", "venv", join(HERE, "environment")]);
    await execute(PYTHON, ["-m", "pip", "install", "--quiet", ...packages]);
    return undefined;
  } catch (error) {
    return `pip cannot install ${packages.join(", ")}: ${`${error.stderr || error.message}`.trim().split("\n").at(-1)}`;
  }
}

async function python(text, command = PYTHON) {
  try {
    return (await execute(command, ["-c", text])).stdout.trim();
  } catch {
    return "";
  }
}

/** Runs a script; `outcome` is what it says at its end. */
function run(command, words) {
  const child = spawn(command, words, { cwd: HERE, stdio: ["ignore", "pipe", "pipe"] });
  let out = "", err = "";
  child.stdout.on("data", (data) => { out += data; });
  child.stderr.on("data", (data) => { err += data; });
  const outcome = new Promise((done, failed) => {
    child.on("error", failed);
    child.on("exit", (code) => {
      if (code === 0) done(out.trim());
      else failed(new Error(`${words[0]} ended with ${code}: ${err.trim().split("\n").at(-1)}`));
    });
  });
  outcome.catch(() => {});
  return { outcome, stop: () => child.kill() };
}

const connected = (program) => until("the publisher is connected", () => program.said(), (text) => /publisher \d+: sends (VP8|H264)/.test(text));

/** The client publishes, a browser plays. */
const publishes = (command, words) => ({
  name: "publishes to a browser",
  run: async ({ program, player }) => {
    const client = run(command, words("publish", program.whip("a"), 25));
    try {
      await Promise.race([connected(program), client.outcome.then(() => { throw new Error("it ends at once"); })]);
      await player.evaluate((url) => globalThis.play(url), program.whep("a"));
      await decodes(player);
    } finally {
      client.stop();
    }
  },
});

/** A browser publishes, the client plays. */
const plays = (command, words, options = []) => ({
  name: "plays a browser",
  options,
  run: async ({ program, publisher }) => {
    await publisher.evaluate((url) => globalThis.publish(url), program.whip("a"));
    await connected(program);
    const seen = JSON.parse(await run(command, words("play", program.whep("a"), 8)).outcome);
    for (const [kind, least] of Object.entries(ENOUGH)) {
      if (!(seen[kind] >= least)) throw new Error(`it decodes ${seen[kind]} of ${kind}, and not ${least}`);
    }
    if (seen.ended !== 200) throw new Error(`the end of the session gives ${seen.ended}`);
  },
});

/** The muxer stalls now and then after its handshake, with some packets a second: then it begins anew. */
const flows = async (program, room) => {
  const packets = async () => {
    const table = (await (await fetch(program.url)).text()).split("\n");
    const row = table.find((line) => line.startsWith(`${room} `) && line.includes("publisher")) ?? "";
    return Number(/ (\d+) +\d+ +\d+ +\S+$/.exec(row)?.[1] ?? 0);
  };
  await until("the publisher is connected", () => program.said(), (text) => text.includes(`${room}: publisher`) && /sends H264\s*$/.test(text));
  const before = await packets();
  await sleep(2_000);
  return await packets() - before > 60;
};

const ffmpeg = {
  name: "publishes to a browser",
  run: async ({ program, player }) => {
    for (let attempt = 0; attempt < 6; attempt++) {
      // A room of its own each time: one that is ended from outside does not say goodbye.
      const room = `attempt-${attempt}`;
      const client = run(PYTHON, ["ffmpeg.py", program.whip(room), 60]);
      try {
        if (!await flows(program, room)) continue;
        await player.evaluate((url) => globalThis.play(url), program.whep(room));
        return await decodes(player).then(() => attempt > 0 ? `ok, after ${attempt} stalls of the muxer` : "ok");
      } finally {
        client.stop();
      }
    }
    throw new Error("the muxer stalls each time");
  },
};

const aiortc = (...words) => ["aiortc_client.py", ...words];
const gstreamer = (...words) => ["gstreamer.py", ...words];
const GSTREAMER = "/usr/bin/python3";

export const CLIENTS = [
  {
    name: "FFmpeg's WHIP muxer",
    missing: async () => await pip(["av", "numpy"])
      ?? (await python("import av; print('whip' in av.formats_available)") === "True" ? undefined
        : "PyAV has an FFmpeg before 8.0, which has no WHIP muxer"),
    cases: [ffmpeg],
  },
  {
    name: "aiortc",
    missing: () => pip(["aiortc", "aiohttp", "numpy"]),
    cases: [publishes(PYTHON, aiortc), plays(PYTHON, aiortc)],
  },
  {
    name: "GStreamer's webrtcbin",
    missing: async () => {
      const elements = ["webrtcbin", "nicesrc", "vp8enc", "opusenc", "openh264enc"];
      const text = "import gi; gi.require_version('Gst', '1.0'); from gi.repository import Gst; Gst.init(None); "
        + `print(' '.join(name for name in '${elements.join(" ")}'.split() if not Gst.ElementFactory.find(name)) or 'all')`;
      const missing = await python(text, GSTREAMER);
      if (missing === "all") return undefined;
      return missing ? `it has no ${missing}` : "python3-gst-1.0 is not installed";
    },
    cases: [publishes(GSTREAMER, gstreamer), plays(GSTREAMER, gstreamer),
      { ...publishes(GSTREAMER, (...words) => gstreamer(...words, "h264")), name: "publishes H.264 to a browser" }],
  },
  ...["whipclientsink", "whipsink", "whepsrc"].map((name) => ({
    name: `GStreamer's ${name}`,
    missing: async () => {
      try {
        await execute("gst-inspect-1.0", [name]);
        return undefined;
      } catch {
        return `gst-inspect-1.0 does not know ${name}: it comes with gst-plugins-rs, which Debian 12 has not`;
      }
    },
    cases: name === "whepsrc" ? [] : [publishes("gst-launch-1.0", (_, url) => name === "whipsink"
      ? ["videotestsrc", "is-live=true", "!", "vp8enc", "deadline=1", "!", "rtpvp8pay", "!", "whipsink", "name=out",
        `whip-endpoint=${url}`, "audiotestsrc", "is-live=true", "!", "opusenc", "!", "rtpopuspay", "!", "out."]
      : ["videotestsrc", "is-live=true", "!", "video/x-raw,width=640,height=360", "!", "whipclientsink", "name=out",
        `signaller::whip-endpoint=${url}`, "audiotestsrc", "is-live=true", "!", "out."])],
  })),
];
