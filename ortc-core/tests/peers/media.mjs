// Sound and pictures for peers that only carry packets: ffmpeg encodes and decodes for them.

import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";

const LOCAL = "127.0.0.1";
const SOURCES = {
  audio: ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-c:a", "libopus", "-b:a", "32k"],
  video: ["-f", "lavfi", "-i", "testsrc=size=320x240:rate=15", "-c:v", "libvpx", "-deadline", "realtime",
    "-cpu-used", "8", "-g", "15", "-b:v", "300k"],
};
const FORMATS = { audio: "opus/48000/2", video: "VP8/90000" };

const children = [];
process.on("exit", () => children.forEach((child) => child.kill("SIGKILL")));

function ffmpeg(options, stdio) {
  const child = spawn("ffmpeg", ["-nostdin", "-v", "error", ...options], { stdio });
  children.push(child);
  return child;
}

function bound(port = 0) {
  const socket = createSocket("udp4");
  return new Promise((done) => socket.bind(port, LOCAL, () => done(socket)));
}

/** Encodes without end; each RTP packet goes to `send`. */
export async function play(kind, payloadType, ssrc, send) {
  const socket = await bound();
  socket.on("message", (packet) => {
    // What else ffmpeg sends there is RTCP (RFC 5761 §4).
    if ((packet[1] & 0x7f) === payloadType) send(packet);
  });
  const rtp = ["-payload_type", String(payloadType), "-ssrc", String(ssrc), "-f", "rtp"];
  const target = `rtp://${LOCAL}:${socket.address().port}?pkt_size=1100`;
  ffmpeg(["-re", ...SOURCES[kind], ...rtp, target], ["ignore", "ignore", "inherit"]);
}

/** Decodes RTP packets. `heard` and `seen` go up while something can be heard and seen. */
export class Decoder {
  #socket;
  #port;
  meter;

  static async start(kind, payloadType) {
    const decoder = new Decoder();
    decoder.#socket = await bound();
    const place = await bound();
    decoder.#port = place.address().port;
    await new Promise((done) => place.close(done));
    const sdp = ["v=0", `o=- 1 1 IN IP4 ${LOCAL}`, "s=-", `c=IN IP4 ${LOCAL}`, "t=0 0",
      `m=${kind} ${decoder.#port} RTP/AVP ${payloadType}`, `a=rtpmap:${payloadType} ${FORMATS[kind]}`, ""];
    const input = ["-protocol_whitelist", "pipe,udp,rtp", "-f", "sdp", "-i", "pipe:0"];
    const child = ffmpeg([...input, ...decoded(kind)], ["pipe", "pipe", "inherit"]);
    child.stdin.end(sdp.join("\r\n"));
    decoder.meter = meter(kind, child.stdout);
    return decoder;
  }

  write(packet) {
    this.#socket.send(packet, this.#port, LOCAL);
  }
}

/** Sound as samples; of pictures one line at the bottom, a hundred pixels wide. */
const decoded = (kind) => (kind === "audio"
  ? ["-vn", "-f", "s16le", "-ac", "1", "-ar", "48000", "pipe:1"]
  : ["-an", "-vf", "crop=iw:2:0:ih-4,scale=100:1:flags=neighbor", "-fps_mode", "passthrough",
    "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]);
const UNITS = { audio: 2 * 960, video: 3 * 100 };
/** Far above the noise of a codec, far below speech. */
const LOUD = 1000;
/** Where the four colours of the test film are. */
const PLACES = [8, 42, 58, 92];

/** Counts pictures, or pieces of 20 ms that can be heard; keeps four colours of the last picture. */
function meter(kind, output, each = () => {}) {
  const seen = { count: 0, colours: null };
  let rest = Buffer.alloc(0);
  output.on("data", (data) => {
    rest = Buffer.concat([rest, data]);
    for (; rest.length >= UNITS[kind]; rest = rest.subarray(UNITS[kind])) {
      const unit = rest.subarray(0, UNITS[kind]);
      if (kind === "video") {
        seen.colours = PLACES.map((place) => [...unit.subarray(3 * place, 3 * place + 3)]);
        each(seen.colours);
      } else if (!loud(unit)) {
        continue;
      }
      seen.count += 1;
    }
  });
  return seen;
}

function loud(samples) {
  for (let at = 0; at < samples.length; at += 2) if (Math.abs(samples.readInt16LE(at)) > LOUD) return true;
  return false;
}

/** Decodes a whole file; gives the colours of every picture, too. */
export async function decodeFile(kind, path) {
  const child = ffmpeg(["-i", path, ...decoded(kind)], ["ignore", "pipe", "pipe"]);
  const pictures = [];
  const seen = meter(kind, child.stdout, (colours) => pictures.push(colours));
  let complaints = "";
  child.stderr.on("data", (data) => { complaints += data; });
  await new Promise((done) => child.on("close", done));
  return { ...seen, pictures, complaints };
}
