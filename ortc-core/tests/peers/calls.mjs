// The calls that each peer makes, and what must be true of each.

import { readdirSync } from "node:fs";
import { join } from "node:path";

import { sleep, until } from "../browsers/checks.mjs";
import { decodeFile } from "./media.mjs";

/** Pieces of sound of 20 ms, and pictures. */
const SOUNDS = 75, PICTURES = 45;
const TONES = "159#";
/** Red, yellow, blue and cyan: the bars of the test film. */
const BARS = [[255, 0, 0], [255, 255, 0], [0, 0, 255], [0, 255, 255]];

/** Seconds: consent that nobody renews is over after 30 (RFC 7675 §5.1). */
export const BEYOND_CONSENT = 33;
/** Seconds that anything may take, on a machine that has other work too; and what is told at once. */
const PATIENCE = 45, GOODBYE = 10;
const ENDED = ["closed", "failed", "disconnected"];

const near = (colour, wanted) => colour.every((value, index) => Math.abs(value - wanted[index]) < 90);
const isFilm = (colours) => Boolean(colours) && colours.every((colour, index) => near(colour, BARS[index]));

export const CALLS = [
  { name: "Rust is the DTLS server", options: ["--dtls", "server"], end: peerHangsUp },
  { name: "Rust is the DTLS client", options: ["--dtls", "client"], end: rustHangsUp },
  { name: "Rust offers", answers: true, options: ["--ice", "controlling"], end: peerHangsUp },
  { name: "both begin as ICE-controlling", options: ["--ice", "controlling"], end: peerHangsUp },
  { name: "Rust is ICE lite", options: ["--ice", "lite"], lasts: BEYOND_CONSENT, end: peerHangsUp },
  { name: "5 % loss", options: ["--loss", "5"], loses: true, end: signallingHangsUp },
];

/** Connects, waits for sound and pictures both ways and for tones, and hangs up. Gives what was seen. */
export async function makeCall(call, { rust, peer, program, traits }) {
  await connect(call, { rust, peer, traits });
  const figures = await until("Rust has figures of DTLS", () => rust.figures, (seen) => seen?.dtls?.version);
  const role = call.options.indexOf("--dtls") + 1;
  if (role > 0 && call.options[role] !== figures.dtls.role) throw new Error(`Rust is the DTLS ${figures.dtls.role}`);
  if (!traits.echoes) await peerDecodes(peer);
  await rustReceives(rust);
  const tones = await dial(rust, peer, traits);
  if (call.lasts) await last(call.lasts, rust, peer);
  if (call.loses) await repairs(rust, traits);
  await call.end({ rust, peer, program, traits });
  await recordingsPlay(program, traits);
  if (rust.errors.length > 0) throw new Error(`Rust says: ${rust.errors.join("; ")}`);
  const sum = (list, field) => list.reduce((total, track) => total + track[field], 0);
  const { receiving, sending, dropped } = rust.figures;
  const again = { toRust: sum(receiving, "repaired"), toPeer: sum(sending, "repeated") };
  return { dtls: figures.dtls, srtp: figures.srtp, tones, again, dropped };
}

async function connect({ answers }, { rust, peer, traits }) {
  if (answers) {
    peer.tell({ take: { type: "offer", sdp: await rust.offer() } });
    await until("the peer answers", () => peer.answer, Boolean, PATIENCE);
    rust.accept(peer.answer, traits);
  } else {
    peer.tell({ offer: true });
    await until("the peer offers", () => peer.offer, Boolean, PATIENCE);
    peer.tell({ take: { type: "answer", sdp: await rust.answer(peer.offer) } });
  }
  rust.start();
  await until("Rust is connected", () => rust.connected, Boolean, PATIENCE);
  await until("the peer is connected", () => peer.states, (states) => states.includes("connected"), PATIENCE);
}

async function peerDecodes(peer) {
  const enough = ({ audio, video }) => audio.count >= SOUNDS && video.count >= PICTURES && isFilm(video.colours);
  await until("the peer decodes the film", () => peer.seen, enough, PATIENCE);
}

async function rustReceives(rust) {
  const tracks = () => rust.figures.receiving;
  const of = (list, codec) => list.find((track) => track.codec === codec)?.frames ?? 0;
  // More than the recordings must have: some is silence, and pictures begin with a key frame.
  const enough = (list) => of(list, "opus") >= 2 * SOUNDS && of(list, "vp8") >= 2 * PICTURES;
  await until("Rust puts frames together", tracks, enough, PATIENCE);
}

/** Goes on for so many seconds, and pictures go on coming, both ways. */
async function last(seconds, rust, peer) {
  await sleep(seconds * 1000);
  const toRust = () => rust.figures.receiving.find((track) => track.codec === "vp8").frames;
  const toPeer = () => peer.seen.video.count;
  for (const pictures of [toRust, toPeer]) {
    const before = pictures();
    const goOn = (now) => now > before || before === 0; // who only echoes sees nothing
    await until("pictures go on coming", pictures, goOn, GOODBYE);
  }
}

/** What is lost comes again, where the peer asks for it and where it answers. */
async function repairs(rust, { asksAgain, sendsAgain }) {
  const enough = () => (!sendsAgain || rust.figures.receiving.some((track) => track.repaired > 0))
    && (!asksAgain || rust.figures.sending.some((track) => track.repeated > 0));
  await until("what is lost comes again", enough, Boolean, PATIENCE);
}

async function dial(rust, peer, traits) {
  const heard = { byPeer: false, byRust: false };
  if (traits.hearsTones || traits.echoes) rust.dial(TONES);
  if (traits.hearsTones) {
    await until("the peer hears the tones", () => peer.seen.tones, (text) => text === TONES, PATIENCE);
    heard.byPeer = true;
  }
  if (traits.sendsTones) peer.tell({ dial: TONES });
  if (traits.sendsTones || traits.echoes) {
    await until("Rust hears the tones", () => rust.heard, (text) => text === TONES, PATIENCE);
    heard.byRust = true;
  }
  return heard;
}

export async function peerHangsUp({ rust, peer, program, traits }) {
  peer.tell({ close: true });
  // Where DTLS does not say goodbye, signalling does.
  if (!traits.saysGoodbye) rust.close();
  await until("Rust ends the call", program.said, (text) => /call 1: over/.test(text), GOODBYE);
}

export async function rustHangsUp({ rust, peer, program, traits }) {
  rust.hangUp();
  await until("Rust ends the call", program.said, (text) => /call 1: over/.test(text), GOODBYE);
  if (!traits.hearsGoodbye) return;
  await until("the peer sees the end", () => peer.states, (states) => ENDED.includes(states.at(-1)), GOODBYE);
}

/** Where a goodbye may be lost. */
export async function signallingHangsUp({ rust, program }) {
  rust.close();
  await until("Rust ends the call", program.said, (text) => /call 1: over/.test(text), GOODBYE);
}

async function recordingsPlay({ out }, { echoes }) {
  const files = readdirSync(out);
  for (const [kind, ending, least] of [["audio", ".opus", SOUNDS], ["video", ".ivf", PICTURES]]) {
    const name = files.find((file) => file.endsWith(ending));
    if (!name) throw new Error(`there is no recording of ${kind}`);
    const seen = await decodeFile(kind, join(out, name));
    if (seen.count < least) throw new Error(`the recording of ${kind} plays ${seen.count} of ${least}: ${seen.complaints}`);
    if (echoes && kind === "video" && !isFilm(seen.colours)) throw new Error(`it is not the film: ${seen.colours}`);
  }
}
