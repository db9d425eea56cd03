// The page: section 9.1 of the draft, with a room, a dial pad and figures around it.

import { Figures } from "./figures.js";
import { Graph } from "./graph.js";
import { RTCConnection, install } from "./ortc.js";
import { ofError, ofMedia } from "./sentences.js";

install();

const $ = (id) => document.getElementById(id);
const graphs = { rate: new Graph($("rate")), loss: new Graph($("loss")), rtt: new Graph($("rtt")) };
let conn, signalingChannel, dialler, timer, figures, before = {};
/** Counts calls that were begun or ended: who hangs up while a call is made wants none. */
let turns = 0;
/** What the figures call a track, by SSRC. */
const names = new Map();

/** For tests and the curious. */
globalThis.ortc = {
  get connection() { return conn; },
  get channel() { return signalingChannel; },
  sent: "", heard: "", byRust: "", figures: null, browser: null, errors: [], events: [],
};

// What the draft calls a signalling channel: a WebSocket.
class SignalingChannel {
  #socket;

  constructor(room) {
    const { protocol, host } = location;
    const scheme = protocol === "https:" ? "wss:" : "ws:";
    this.#socket = new WebSocket(`${scheme}//${host}/signalling?room=${encodeURIComponent(room)}`);
    this.#socket.onmessage = (evt) => this.onmessage(evt);
    this.#socket.onclose = () => this.onclose();
    this.opened = new Promise((done, failed) => {
      this.#socket.onopen = done;
      this.#socket.onerror = () => failed(new Error("The server does not answer. Is the program still running?"));
    });
  }

  send(text) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(text);
  }

  close() {
    this.#socket.onclose = this.#socket.onerror = null;
    this.#socket.close();
  }
}

function log(text, bad = false) {
  const line = document.createElement("li");
  line.textContent = `${new Date().toLocaleTimeString()}  ${text}`;
  if (bad) line.className = "bad";
  $("log").prepend(line);
}

/** Says something where nobody overlooks it. */
function notice(text) {
  $("notice").hidden = !text;
  $("words").textContent = text;
  if (text) log(text, true);
}

function logError(error) {
  globalThis.ortc.errors.push(`${error.name}: ${error.message}`);
  notice(ofError(error));
}

function show(state, text) {
  $("state").dataset.state = state;
  $("state").textContent = text;
  $("start").hidden = state !== "idle";
  $("stop").hidden = state === "idle";
  $("room").disabled = state !== "idle";
  for (const id of ["mic", "cam", "end"]) $(id).disabled = state !== "connected";
  document.querySelectorAll("#keys button, #ask button").forEach((button) => { button.disabled = state !== "connected"; });
}

const query = new URLSearchParams(location.search);

/**
 * The codecs of a track, as the address asks: `?audio=ulaw` and `?video=h264` come first, `only`
 * leaves out the rest; `dtmf=8000` keeps the tones of one clock.
 */
function prefer(track) {
  const [name, rate] = [query.get(track.kind), Number(query.get("dtmf"))];
  const tones = track.codecs.filter((codec) => codec.name === "dtmf" && (!rate || codec.clockRate === rate));
  const media = track.codecs.filter((codec) => codec.name !== "dtmf");
  const first = media.filter((codec) => codec.name === name);
  const others = first.length > 0 && query.has("only") ? [] : media.filter((codec) => codec.name !== name);
  track.codecs = [...first, ...others, ...tones];
}

/** `?plain`: descriptions with the members of the draft and no others. */
function plain(description) {
  const { dtls, rtx, rtcpFeedback, rtpExtHeaders, rtpExtHeaderIds, ...members } = description;
  return query.has("plain") ? members : description;
}

/** The same of what Rust says, but for the fingerprint: no browser connects without one. */
function plainFromRust(description) {
  return query.has("plain") ? { ...plain(description), dtls: description.dtls } : description;
}

// From here on it is the draft's example, but for `ready()`.
async function start() {
  notice("");
  show("connecting", "Connecting …");
  const turn = ++turns;
  await RTCConnection.ready();
  if (turn !== turns) return;
  signalingChannel = new SignalingChannel($("room").value.trim());
  signalingChannel.onmessage = hear;
  signalingChannel.onclose = () => notice(conn
    ? "The connection to the server is lost. The call goes on as long as it can; nobody can join it."
    : "The server has closed the door. Try again later.");
  await signalingChannel.opened;
  if (turn !== turns) return;

  conn = new RTCConnection({ iceServers: [] });
  const own = conn;
  conn.onerror = ({ error }) => logError(error);

  // send my ICE information to the other peer
  signalingChannel.send(JSON.stringify({ iceInfo: { usernameFrag: conn.local.ice.usernameFrag, password: conn.local.ice.password } }));

  // apply any local ICE candidate and send it to the remote
  conn.oncandidate = (evt) => {
    conn.setLocalCandidate(evt.candidate);
    signalingChannel.send(JSON.stringify({ candidate: plain(evt.candidate) }));
  };
  conn.onconnected = () => {
    globalThis.ortc.events.push("connected");
    show("connected", "Connected");
    log("connected");
    figures = new Figures();
    timer ??= setInterval(measure, 1000);
  };
  conn.ondisconnected = () => {
    globalThis.ortc.events.push("disconnected");
    if (own !== conn) return;
    log("disconnected");
    show("connecting", "Disconnected");
  };
  conn.onactivecandidate = ({ localCandidate, remoteCandidate }) => {
    const text = (side) => `${side.type} ${side.connectionAddress}:${side.connectionPort}`;
    log(`over ${text(localCandidate)} – ${text(remoteCandidate)}`);
  };

  // once a remote stream arrives, show it
  conn.onaddstream = ({ stream }) => view(stream);
  conn.onadddtmfhandler = ({ handler }) => {
    handler.ondtmf = ({ tone }) => {
      globalThis.ortc.heard += tone;
      $("heard").textContent = globalThis.ortc.heard;
    };
  };

  // get a local stream, show it in a self-view and add it to be sent
  const send = (stream) => {
    if (own !== conn) return stream.getTracks().forEach((track) => track.stop());
    $("selfView").src = URL.createObjectURL(stream);
    conn.addStream(stream);
    if (conn.tracks({ kind: "audio" }).length > 0) dialler = conn.addDtmfHandler();
    conn.tracks().forEach(prefer);
    conn.tracks().forEach(({ ssrc, kind }) => names.set(ssrc, { audio: "mic", video: "camera" }[kind]));
    // send tracks description to the peer
    const describe = () => conn?.tracks().forEach((track) => {
      signalingChannel.send(JSON.stringify({ track: plain(track.getDescription()) }));
    });
    setTimeout(describe, Number(query.get("late") ?? 0));
  };
  const video = { width: 640, height: 480 };
  if (!navigator.mediaDevices) throw new Error(ofMedia({ name: "SecurityError" }));
  navigator.getUserMedia({ audio: true, video }, send, (error) => {
    const refuse = (last) => {
      globalThis.ortc.errors.push(`${last.name}: ${last.message}`);
      stop();
      notice(ofMedia(last));
    };
    // A voice without a picture is better than nothing.
    if (error.name !== "NotFoundError") return refuse(error);
    navigator.getUserMedia({ audio: true }, (stream) => {
      notice("No camera was found: you are heard and not seen.");
      send(stream);
    }, refuse);
  });
}

function hear(evt) {
  const message = JSON.parse(evt.data);
  if (message.refused) {
    stop();
    return notice(`The call is refused: ${message.refused}. Try again later.`);
  }
  if (!conn) return;
  try {
    if (message.iceInfo) {
      conn.remote.ice.usernameFrag = message.iceInfo.usernameFrag;
      conn.remote.ice.password = message.iceInfo.password;
      conn.remote.ice.lite = message.iceInfo.lite;
      conn.connect();
    }
    if (message.candidate) conn.setRemoteCandidate(plainFromRust(message.candidate));
    // Firefox gives packets that come before it is ready to another track: Rust waits for this.
    if (message.track) {
      const { ssrc, kind, msid: [stream] } = message.track;
      names.set(ssrc, nameOf(stream));
      log(`receives ${kind} of ${nameOf(stream)}`);
      conn.receiveTrack(plainFromRust(message.track)).then(() => signalingChannel?.send(JSON.stringify({ ready: ssrc })));
    }
  } catch (error) {
    logError(error);
  }
  if (message.heard) {
    globalThis.ortc.byRust += message.heard;
    $("sent").textContent = globalThis.ortc.byRust;
  }
  if (message.figures) globalThis.ortc.figures = message.figures;
  if (message.left) leave(message.left);
  if (message.error) logError(new Error(`Rust says: ${message.error}`));
  if (message.disconnected) {
    log(`Rust says: ${message.disconnected}`);
    stop();
    notice(message.disconnected === "closed by this side" ? "Rust has hung up." : `The call has ended: ${message.disconnected}.`);
  }
}
// So far the draft's example.

/** Streams of the other pages of the room are named by their calls. */
const nameOf = (stream) => stream.replace("page-", "guest ");

function view(stream) {
  const name = stream.id;
  const figure = document.createElement("figure");
  const video = document.createElement("video");
  Object.assign(video, { autoplay: true, playsInline: true, id: `view-${name}` });
  video.srcObject = stream;
  const caption = document.createElement("figcaption");
  caption.textContent = {
    film: "The film that Rust sends",
    echo: "You, by way of Rust",
  }[name] ?? nameOf(name).replace("g", "G");
  figure.append(video, caption);
  figure.dataset.stream = name;
  $("videos").append(figure);
  // The echo of one's own voice is no pleasure.
  video.muted = name === "echo";
}

function leave(name) {
  log(`${nameOf(name)} has left`);
  document.querySelector(`#videos figure[data-stream="${name}"]`)?.remove();
}

function stop() {
  turns += 1;
  if (!signalingChannel) return show("idle", "Not connected");
  signalingChannel.send(JSON.stringify({ hangUp: true }));
  signalingChannel.close();
  clearInterval(timer);
  const ended = conn;
  conn = dialler = timer = signalingChannel = undefined;
  ended?.close();
  document.querySelectorAll("#videos figure[data-stream]").forEach((figure) => figure.remove());
  $("selfView").srcObject?.getTracks().forEach((track) => track.stop());
  $("selfView").srcObject = null;
  Object.values(graphs).forEach((graph) => graph.clear());
  for (const id of ["mic", "cam"]) $(id).setAttribute("aria-pressed", "true");
  before = {};
  names.clear();
  show("idle", "Not connected");
}

/** Both sides' figures, once a second. */
async function measure() {
  if (!conn) return;
  const [own, rust] = [await figures.of(conn.peerConnection), globalThis.ortc.figures];
  if (!conn) return;
  globalThis.ortc.browser = own;
  graphs.rate.add({ "to you": own.rateIn, "to Rust": own.rateOut });
  graphs.loss.add({ "to you": own.loss, "to Rust": lossOf(rust) });
  graphs.rtt.add({ browser: own.rtt, Rust: rust?.rtt ?? null });
  $("browserTracks").replaceChildren(...rows(own));
  if (!rust) return;
  $("tracks").replaceChildren(...rows(rust));
  const { dtls, srtp, ice } = rust;
  if (dtls) $("secure").textContent = `Rust: ${dtls.version} as the ${dtls.role}, ${dtls.cipher} · SRTP ${srtp} · ICE ${ice}`;
}

/** What Rust lost of what the page sent, in the last second. */
function lossOf(rust) {
  if (!rust) return 0;
  const sum = (field) => rust.receiving.reduce((total, track) => total + track[field], 0);
  const [lost, packets] = [sum("lost"), sum("packets")];
  const missing = lost - (before.lost ?? 0), all = missing + packets - (before.packets ?? 0);
  before = { lost, packets };
  return all > 0 ? Math.max(0, (100 * missing) / all) : 0;
}

function rows({ receiving, sending }) {
  const row = (arrow, word) => (track) => {
    const cells = [`${arrow} ${names.get(track.ssrc) ?? ""}`, track.codec ?? "", Math.round(track.kbps),
      track.packets ?? "", track.lost ?? "", track.repaired ?? track.repeated ?? "", track.frames ?? ""];
    const line = document.createElement("tr");
    line.title = `${word} SSRC ${track.ssrc}`;
    line.append(...cells.map((cell) => Object.assign(document.createElement("td"), { textContent: cell })));
    return line;
  };
  const order = (a, b) => (names.get(a.ssrc) ?? "").localeCompare(names.get(b.ssrc) ?? "");
  return [...[...receiving].sort(order).map(row("←", "receives")), ...[...sending].sort(order).map(row("→", "sends"))];
}

for (const key of "123A456B789C*0#D") {
  const button = Object.assign(document.createElement("button"), { textContent: key, type: "button" });
  button.onclick = () => {
    globalThis.ortc.sent += key;
    dialler?.insertDTMF(dialler.toneBuffer + key);
  };
  $("keys").append(button);
}
// RTCTrack.stop() and start() of the draft: the other tracks go on.
for (const [id, kind] of [["mic", "audio"], ["cam", "video"]]) {
  $(id).onclick = () => {
    const on = $(id).getAttribute("aria-pressed") !== "true";
    $(id).setAttribute("aria-pressed", String(on));
    conn?.tracks({ kind }).forEach((track) => (on ? track.start() : track.stop()));
  };
}
$("ask").onsubmit = (evt) => {
  evt.preventDefault();
  signalingChannel?.send(JSON.stringify({ dial: $("tones").value }));
};
$("call").onsubmit = (evt) => {
  evt.preventDefault();
  start().catch((error) => {
    stop();
    show("idle", "Not connected");
    logError(error);
  });
};
$("stop").onclick = stop;
$("end").onclick = () => signalingChannel?.send(JSON.stringify({ hangUp: true }));
$("hide").onclick = () => notice("");
addEventListener("pagehide", stop);
$("room").value = query.get("room") ?? "";
show("idle", "Not connected");
if (query.has("call")) $("call").requestSubmit();
