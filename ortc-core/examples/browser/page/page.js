// The page: section 9.1 of the draft, with a room, a dial pad and figures around it.

import { Graph } from "./graph.js";
import { RTCConnection, install } from "./ortc.js";

install();

const $ = (id) => document.getElementById(id);
const graphs = { rate: new Graph($("rate")), loss: new Graph($("loss")), rtt: new Graph($("rtt")) };
let conn, signalingChannel, dialler, timer, before = {};

/** For tests and the curious. */
globalThis.ortc = {
  get connection() { return conn; },
  sent: "", heard: "", byRust: "", figures: null, errors: [],
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
      this.#socket.onerror = () => failed(new Error("the signalling server does not answer"));
    });
  }

  send(text) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(text);
  }

  close() {
    this.#socket.close();
  }
}

function log(text, bad = false) {
  const line = document.createElement("li");
  line.textContent = `${new Date().toLocaleTimeString()}  ${text}`;
  if (bad) line.className = "bad";
  $("log").prepend(line);
}

function logError(error) {
  globalThis.ortc.errors.push(`${error.name}: ${error.message}`);
  log(`${error.name}: ${error.message}`, true);
}

function show(state, text) {
  $("state").dataset.state = state;
  $("state").textContent = text;
  $("start").disabled = state !== "idle";
  $("stop").disabled = state === "idle";
}

const wishes = () => {
  const query = new URLSearchParams(location.search);
  return { audio: query.get("audio"), video: query.get("video"), only: query.has("only") };
};

/** The codecs of a track, one first: `?audio=ulaw`, `?video=h264` ask for it; `only` leaves out the rest. */
function prefer(track, name) {
  const first = track.codecs.filter((codec) => codec.name === name);
  const others = wishes().only ? [] : track.codecs.filter((codec) => codec.name !== name);
  if (name && first.length > 0) track.codecs = [...first, ...others];
}

// From here on it is the draft's example, but for `ready()`.
async function start() {
  show("connecting", "Connecting …");
  await RTCConnection.ready();
  signalingChannel = new SignalingChannel($("room").value.trim());
  signalingChannel.onmessage = hear;
  signalingChannel.onclose = () => log("the signalling channel is closed");
  await signalingChannel.opened;

  conn = new RTCConnection({ iceServers: [] });
  conn.onerror = ({ error }) => logError(error);

  // send my ICE information to the other peer
  signalingChannel.send(JSON.stringify({ iceInfo: { usernameFrag: conn.local.ice.usernameFrag, password: conn.local.ice.password } }));

  // apply any local ICE candidate and send it to the remote
  conn.oncandidate = (evt) => {
    conn.setLocalCandidate(evt.candidate);
    signalingChannel.send(JSON.stringify({ candidate: evt.candidate }));
  };
  conn.onconnected = () => {
    show("connected", "Connected");
    log("connected");
    timer = setInterval(measure, 1000);
  };
  conn.ondisconnected = () => {
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
  navigator.getUserMedia({ audio: true, video: { width: 640, height: 480 } }, (stream) => {
    $("selfView").src = URL.createObjectURL(stream);
    conn.addStream(stream);
    const { audio, video } = wishes();
    conn.tracks({ kind: "audio" }).forEach((track) => prefer(track, audio));
    conn.tracks({ kind: "video" }).forEach((track) => prefer(track, video));
    dialler = conn.addDtmfHandler();
    // send tracks description to the peer
    conn.tracks().forEach((track) => {
      signalingChannel.send(JSON.stringify({ track: track.getDescription() }));
    });
  }, logError);
}

function hear(evt) {
  const message = JSON.parse(evt.data);
  try {
    if (message.iceInfo) {
      conn.remote.ice.usernameFrag = message.iceInfo.usernameFrag;
      conn.remote.ice.password = message.iceInfo.password;
      conn.remote.ice.lite = message.iceInfo.lite;
      conn.connect();
    }
    if (message.candidate) conn.setRemoteCandidate(message.candidate);
    // Firefox gives packets that come before it is ready to another track: Rust waits for this.
    if (message.track) {
      conn.receiveTrack(message.track).then(() => signalingChannel.send(JSON.stringify({ ready: message.track.ssrc })));
    }
  } catch (error) {
    logError(error);
  }
  if (message.heard) {
    globalThis.ortc.byRust += message.heard;
    $("sent").textContent = globalThis.ortc.byRust;
  }
  if (message.figures) tell(message.figures);
  if (message.left) log(`${message.left} has left`);
  if (message.error) log(`Rust says: ${message.error}`, true);
  if (message.disconnected) {
    log(`Rust says: ${message.disconnected}`);
    stop();
  }
}
// So far the draft's example.

function view(stream) {
  const name = stream.id;
  const figure = document.createElement("figure");
  const video = document.createElement("video");
  Object.assign(video, { autoplay: true, playsInline: true, id: `view-${name}` });
  video.srcObject = stream;
  const caption = document.createElement("figcaption");
  caption.textContent = { film: "The film that Rust sends", echo: "You, by way of Rust" }[name] ?? name;
  figure.append(video, caption);
  figure.dataset.stream = name;
  $("videos").append(figure);
  // The echo of one's own voice is no pleasure.
  video.muted = name === "echo";
  stream.getTracks().forEach((track) => log(`receives ${track.kind} of ${name}`));
}

function stop() {
  if (!conn) return;
  signalingChannel.send(JSON.stringify({ hangUp: true }));
  clearInterval(timer);
  conn.close();
  signalingChannel.close();
  conn = dialler = undefined;
  document.querySelectorAll("#videos figure[data-stream]").forEach((figure) => figure.remove());
  $("selfView").srcObject?.getTracks().forEach((track) => track.stop());
  $("selfView").srcObject = null;
  Object.values(graphs).forEach((graph) => graph.clear());
  before = {};
  show("idle", "Not connected");
}

/** What the browser's own statistics say, once a second, beside what Rust says. */
async function measure() {
  if (!conn) return;
  const stats = [...(await conn.peerConnection.getStats()).values()];
  const of = (type) => stats.filter((entry) => entry.type === type);
  const rate = (name, entries, field) => {
    const octets = entries.reduce((sum, entry) => sum + (entry[field] ?? 0), 0);
    const since = before[name] ?? octets;
    before[name] = octets;
    return ((octets - since) * 8) / 1000;
  };
  graphs.rate.add({
    "in": rate("in", of("inbound-rtp"), "bytesReceived"),
    "out": rate("out", of("outbound-rtp"), "bytesSent"),
  });
  const [lost, received] = [of("inbound-rtp")].map((entries) => [
    entries.reduce((sum, { packetsLost = 0 }) => sum + packetsLost, 0),
    entries.reduce((sum, { packetsReceived = 0 }) => sum + packetsReceived, 0),
  ])[0];
  const missing = lost - (before.lost ?? 0), all = missing + received - (before.received ?? 0);
  Object.assign(before, { lost, received });
  graphs.loss.add({ "in": all > 0 ? Math.max(0, (100 * missing) / all) : 0, "out": lossOf(globalThis.ortc.figures) });
  const pair = of("candidate-pair").find(({ nominated, state }) => nominated && state === "succeeded");
  graphs.rtt.add({
    browser: pair?.currentRoundTripTime === undefined ? null : pair.currentRoundTripTime * 1000,
    rust: globalThis.ortc.figures?.rtt ?? null,
  });
}

/** What Rust lost of what the page sent, in the last second. */
function lossOf(figures) {
  if (!figures) return 0;
  const sum = (field) => figures.receiving.reduce((total, track) => total + track[field], 0);
  const [lost, packets] = [sum("lost"), sum("packets")];
  const missing = lost - (before.outLost ?? 0), all = missing + packets - (before.outPackets ?? 0);
  Object.assign(before, { outLost: lost, outPackets: packets });
  return all > 0 ? Math.max(0, (100 * missing) / all) : 0;
}

function tell(figures) {
  globalThis.ortc.figures = figures;
  const { dtls, srtp } = figures;
  if (dtls) $("secure").textContent = `${dtls.version}, ${dtls.cipher}, Rust is the ${dtls.role}; ${srtp}`;
  const row = (direction) => (track) => {
    const cells = [`${direction} ${track.ssrc}`, track.codec ?? "", Math.round(track.kbps), track.packets,
      track.lost, track.repaired ?? track.repeated, track.frames ?? ""];
    const line = document.createElement("tr");
    line.append(...cells.map((cell) => Object.assign(document.createElement("td"), { textContent: cell })));
    return line;
  };
  $("tracks").replaceChildren(...figures.receiving.map(row("to Rust")), ...figures.sending.map(row("from Rust")));
}

for (const key of "123A456B789C*0#D") {
  const button = Object.assign(document.createElement("button"), { textContent: key, type: "button" });
  button.onclick = () => {
    globalThis.ortc.sent += key;
    dialler?.insertDTMF(dialler.toneBuffer + key);
  };
  $("keys").append(button);
}
$("ask").onsubmit = (evt) => {
  evt.preventDefault();
  signalingChannel?.send(JSON.stringify({ dial: $("tones").value }));
};
$("call").onsubmit = (evt) => {
  evt.preventDefault();
  start().catch((error) => {
    logError(error);
    stop();
    show("idle", "Not connected");
  });
};
$("stop").onclick = stop;
addEventListener("pagehide", stop);
$("room").value = new URLSearchParams(location.search).get("room") ?? "";
show("idle", "Not connected");
if (new URLSearchParams(location.search).has("call")) $("call").requestSubmit();
