// The classes of the ORTC draft of October 2013 over RTCPeerConnection.
//
// No SDP crosses the wire. The page is always the offerer of its own peer connection, and writes the
// answer itself, from what the peer's descriptions say.
//
// What differs from the draft: `await RTCConnection.ready()` once before the first `new
// RTCConnection`, because a browser makes credentials and SSRCs only asynchronously; and candidates
// and tracks carry optional members (`dtls`, `rtx`, `rtcpFeedback`, `rtpExtHeaderIds`), because a
// browser wants to know them before it connects. A connection begins when the first of these came.

import { describeCandidate, describeStats, toBrowserCandidate, toBrowserServer } from "./candidate.js";
import { fire, handler, invalidState } from "./event.js";
import { isDtmf, isMedia, peerNumbers, readOffer, sameCodec, toDraftCodec, writeAnswer } from "./sdp.js";
import { listenForTones } from "./tones.js";
import { DTMF, KEY, PEER_CODECS, RTCDTMFHandler, RTCTrack, SECTION, aliases } from "./track.js";

const CONFIGURATION = { bundlePolicy: "max-bundle", rtcpMuxPolicy: "require" };

/** Peer connections whose credentials and SSRCs are known, for the next `new RTCConnection`. */
const prepared = [];
/** What the browser can send, by its own offer. */
let capabilities;
/** How many tracks of each kind a connection can send. */
let wanted = { audio: 1, video: 1 };

async function prepare() {
  const pc = new RTCPeerConnection(CONFIGURATION);
  const kinds = [...Array(wanted.audio).fill("audio"), ...Array(wanted.video).fill("video")];
  const transceivers = kinds.map((kind) => pc.addTransceiver(kind, { direction: "sendonly" }));
  const offer = await pc.createOffer();
  const sections = readOffer(offer.sdp);
  const codecsOf = (kind) => {
    const codecs = sections.find((section) => section.kind === kind)?.codecs ?? [];
    return codecs.filter((codec) => isMedia(codec) || isDtmf(codec)).map(toDraftCodec);
  };
  capabilities = { audioCodecs: codecsOf("audio"), videoCodecs: codecsOf("video") };
  prepared.push({ pc, offer, sections, transceivers });
}

export class RTCConnection extends EventTarget {
  #pc;
  #sections;
  #tracks = [];
  #receiving = new Map();
  #sendingStreams = [];
  #receivingStreams = new Map();
  #remoteDtls;
  #candidates = [];
  #connecting = false;
  #answered = false;
  #closed = false;
  /** What was fired last: "connected" or "disconnected". */
  #told;
  #work = Promise.resolve();
  #begun;
  #first = new Promise((done) => { this.#begun = done; });
  #free;

  /**
   * Prepares peer connections, so that credentials and SSRCs can be read at once. `audio` and
   * `video` say how many tracks of each kind a connection can send; 1 by default.
   */
  static async ready({ audio = 1, video = 1 } = {}) {
    const changed = audio !== wanted.audio || video !== wanted.video;
    wanted = { audio, video };
    if (changed) prepared.splice(0).forEach(({ pc }) => pc.close());
    if (prepared.length === 0) await prepare();
  }

  constructor(options = {}) {
    super();
    const next = prepared.shift();
    if (!next) throw invalidState("await RTCConnection.ready() before new RTCConnection()");
    prepare(); // for the next one
    const { pc, offer, sections, transceivers } = next;
    this.#pc = pc;
    this.#sections = sections;
    this.#free = transceivers.map((transceiver, index) => ({ transceiver, section: sections[index] }));
    const [{ ufrag, password, fingerprint }] = sections;
    const [hash, value] = fingerprint.split(" ");
    this.local = Object.freeze({
      ice: Object.freeze({ usernameFrag: ufrag, password }),
      dtls: Object.freeze({ fingerprint: Object.freeze({ [hash]: value }) }),
    });
    this.remote = { ice: { usernameFrag: null, password: null }, dtls: { fingerprint: null } };
    for (const type of ["candidate", "endofcandidates", "activecandidate", "connected", "disconnected",
      "addstream", "unknowntrack", "adddtmfhandler", "error"]) handler(this, type);

    const { iceServers = [], socket } = options;
    if (socket) throw new DOMException("a browser does not share its sockets", "NotSupportedError");
    if (iceServers.length > 0) {
      pc.setConfiguration({ ...CONFIGURATION, iceServers: iceServers.map(toBrowserServer) });
    }
    pc.addEventListener("icecandidate", ({ candidate }) => {
      if (this.#closed) return;
      if (!candidate || candidate.candidate === "") return;
      const description = describeCandidate(candidate, this.#dtls());
      if (description) fire(this, "candidate", { candidate: description });
    });
    pc.addEventListener("icegatheringstatechange", () => {
      if (pc.iceGatheringState === "complete" && !this.#closed) fire(this, "endofcandidates");
    });
    pc.addEventListener("connectionstatechange", () => this.#stateChanged());
    this.#then(() => pc.setLocalDescription(offer));
  }

  /** For statistics; everything else is the draft's. */
  get peerConnection() {
    return this.#pc;
  }

  getLocalSocket() {
    throw new DOMException("a browser does not share its sockets", "NotSupportedError");
  }

  setLocalCandidate(candidate) {
    // A browser applies what it finds by itself.
    if (!candidate || !candidate.connectionAddress) throw new TypeError("not a candidate description");
  }

  setRemoteCandidate(candidate) {
    if (!candidate || !candidate.connectionAddress) throw new TypeError("not a candidate description");
    this.#open();
    this.#hear(candidate.dtls);
    if (this.#answered) this.#add(candidate);
    else this.#candidates.push(candidate);
  }

  connect() {
    this.#open();
    const { usernameFrag, password } = this.remote.ice;
    if (!usernameFrag || !password) throw invalidState("set remote.ice.usernameFrag and password before connect()");
    this.#connecting = true;
    this.#begin();
  }

  update() {
    this.#open();
    // The draft means gathering anew with the same credentials. A browser does so by itself when
    // interfaces change; nothing lets a page ask for it.
  }

  addStream(stream, autostart = true) {
    this.#open();
    if (this.#sendingStreams.includes(stream)) throw invalidState("the stream is sent already");
    const tracks = stream.getTracks();
    const places = tracks.map((track) => {
      const index = this.#free.findIndex(({ section }) => section.kind === track.kind);
      if (index < 0) {
        const message = `more ${track.kind} tracks than RTCConnection.ready() was told to prepare`;
        throw new DOMException(message, "NotSupportedError");
      }
      return this.#free.splice(index, 1)[0];
    });
    tracks.forEach((track, index) => {
      const owner = { dtls: () => this.#dtls(), changed: () => this.#renegotiate(), sendsDtmf: () => {} };
      const rtcTrack = new RTCTrack(KEY, track, [stream.id], places[index], owner);
      this.#tracks.push({ rtcTrack, stream });
      if (autostart) rtcTrack.start();
    });
    this.#sendingStreams.push(stream);
  }

  removeStream(stream) {
    this.#open();
    if (!this.#sendingStreams.includes(stream)) throw invalidState("the stream is not sent");
    this.#tracks.filter((entry) => entry.stream === stream).forEach(({ rtcTrack }) => rtcTrack.remove());
    this.#tracks = this.#tracks.filter((entry) => entry.stream !== stream);
    this.#sendingStreams = this.#sendingStreams.filter((known) => known !== stream);
  }

  track(source) {
    return this.#tracks.find(({ rtcTrack }) => rtcTrack.source === source)?.rtcTrack ?? null;
  }

  tracks({ mediaStream, kind } = {}) {
    return this.#tracks
      .filter(({ stream }) => !mediaStream || stream === mediaStream)
      .map(({ rtcTrack }) => rtcTrack)
      .filter((track) => !kind || track.kind === kind);
  }

  receiveTrack(description) {
    this.#open();
    const { kind, ssrc, msid = [], codecs = [] } = description;
    const known = kind === "audio" ? capabilities.audioCodecs : capabilities.videoCodecs;
    const usable = codecs.some((codec) => codec.name !== "dtmf"
      && known.some((own) => own.name === codec.name.toLowerCase() || own.name === aliases(codec.name)));
    if (!usable) throw new DOMException("none of the codecs is supported", "NotSupportedError");
    this.#hear(description.dtls);
    const place = this.#receiving.get(ssrc);
    if (place) {
      place.description = description;
    } else {
      // The browser makes the track at once; what it is to receive is settled below.
      const transceiver = this.#pc.addTransceiver(kind, { direction: "recvonly" });
      this.#receiving.set(ssrc, { description, transceiver, mid: null });
      this.#arrive(description, transceiver.receiver, msid);
    }
    // The draft returns nothing; this is there for whoever wants to know when the browser is ready.
    return this.#renegotiate();
  }

  addDtmfHandler(container) {
    this.#open();
    const fits = ({ rtcTrack, stream }) => rtcTrack.kind === "audio"
      && (!container || container === stream || container === rtcTrack.source);
    const found = this.#tracks.find(fits);
    if (!found) throw invalidState("no audio track to send tones with");
    return found.rtcTrack[DTMF]();
  }

  getSendingStreams() {
    return [...this.#sendingStreams];
  }

  getReceivingStreams() {
    return [...this.#receivingStreams.values()];
  }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.#pc.close();
    fire(this, "disconnected");
  }

  #open() {
    if (this.#closed) throw invalidState("the connection is closed");
  }

  #dtls() {
    return { fingerprint: this.local.dtls.fingerprint, role: "auto" };
  }

  /** Steps of the peer connection, one after another. */
  #then(step) {
    this.#work = this.#work.then(() => (this.#closed ? undefined : step())).catch((error) => {
      if (!this.#closed) fire(this, "error", { error });
    });
    return this.#work;
  }

  #hear(dtls) {
    if (!dtls || this.#remoteDtls) return;
    this.#remoteDtls = dtls;
    this.#begin();
  }

  /** The peer as an answer has it. */
  #peer() {
    const { fingerprint, role = "auto" } = this.#remoteDtls;
    const { lite = false } = this.remote.ice;
    const hash = ["sha-256", "sha-512", "sha-384", "sha-224", "sha-1"].find((name) => fingerprint[name]);
    // Where nobody says it, the ICE-controlled side is the DTLS client, and the one whose credentials
    // compare greater is controlling.
    const key = ({ usernameFrag, password }) => `${usernameFrag}:${password}`;
    const peerIsClient = role === "auto" ? key(this.remote.ice) < key(this.local.ice) : role === "client";
    const setup = peerIsClient ? "active" : "passive";
    return { ice: this.remote.ice, fingerprint: [hash, fingerprint[hash]], setup, lite };
  }

  #begin() {
    if (!this.#connecting || !this.#remoteDtls || this.#answered) return;
    this.#answered = true;
    this.#then(async () => {
      await this.#pc.setRemoteDescription({ type: "answer", sdp: this.#answer(this.#sections) });
      this.#candidates.splice(0).forEach((candidate) => this.#add(candidate));
    });
    this.#begun(this.#receiving.size > 0 ? this.#renegotiate() : this.#work);
  }

  #add(candidate) {
    this.#then(() => this.#pc.addIceCandidate(toBrowserCandidate(candidate, this.#sections[0].mid)));
  }

  /** Offers again, once the first offer is answered, for tracks that have come or changed. */
  #renegotiate() {
    if (!this.#answered) return this.#first;
    return this.#then(async () => {
      const offer = await this.#pc.createOffer();
      await this.#pc.setLocalDescription(offer);
      this.#sections = readOffer(offer.sdp);
      for (const place of this.#receiving.values()) place.mid = place.transceiver.mid;
      await this.#pc.setRemoteDescription({ type: "answer", sdp: this.#answer(this.#sections) });
    });
  }

  #answer(sections) {
    const receiving = new Map([...this.#receiving.values()].map((place) => [place.mid, place.description]));
    const sending = new Map(this.#tracks.map(({ rtcTrack }) => [rtcTrack[SECTION].mid, rtcTrack]));
    return writeAnswer(sections, this.#peer(), (section) => {
      const description = receiving.get(section.mid);
      const usable = section.codecs.filter((codec) => isMedia(codec) || isDtmf(codec));
      if (description) {
        const codecs = usable.filter((codec) => description.codecs.some((draft) => sameCodec(draft, codec)));
        const direction = section.direction === "inactive" ? "inactive" : "sendonly";
        return { direction, codecs, rtx: Boolean(description.rtx), track: description };
      }
      // The peer receives: in the order in which the track has its codecs, as the draft wants it.
      const order = sending.get(section.mid)?.codecs ?? [];
      const rank = (codec) => {
        const at = order.findIndex((draft) => sameCodec(draft, codec));
        return at < 0 ? order.length : at;
      };
      // Tones at the rates that the track names.
      const named = (codec) => order.some((draft) => sameCodec(draft, codec));
      const codecs = usable.filter((codec) => (isDtmf(codec) ? named(codec) : PEER_CODECS.has(codec.name.toLowerCase())));
      codecs.sort((a, b) => rank(a) - rank(b));
      const like = [...this.#receiving.values()].map((place) => place.description).filter(({ kind }) => kind === section.kind);
      const { numbers, clear } = peerNumbers(section, codecs, like);
      const direction = section.direction === "inactive" ? "inactive" : "recvonly";
      return { direction, codecs: codecs.filter(({ id }) => clear(id)), rtx: true, numbers };
    });
  }

  #arrive(description, receiver, msid) {
    const { track } = receiver;
    for (const id of msid.length > 0 ? msid : ["-"]) {
      const known = this.#receivingStreams.get(id);
      if (known) {
        known.addTrack(track);
        continue;
      }
      const stream = new MediaStream([track]);
      handler(stream, "connected");
      handler(stream, "disconnected");
      // A stream that is received has the id that its sender gave it.
      if (id !== "-") Object.defineProperty(stream, "id", { value: id });
      this.#receivingStreams.set(id, stream);
      queueMicrotask(() => fire(this, "addstream", { stream }));
    }
    handler(track, "connected");
    handler(track, "disconnected");
    // The stream connects with its first track, and before it; it disconnects with its last.
    const streams = () => this.getReceivingStreams().filter((stream) => stream.getTracks().includes(track));
    const alone = (stream) => stream.getTracks().every((other) => other === track || other.muted);
    track.addEventListener("unmute", () => {
      streams().filter(alone).forEach((stream) => fire(stream, "connected"));
      fire(track, "connected");
    });
    track.addEventListener("mute", () => {
      fire(track, "disconnected");
      streams().filter(alone).forEach((stream) => fire(stream, "disconnected"));
    });
    if (description.codecs.some((codec) => aliases(codec.name) === "dtmf")) {
      const tones = new RTCDTMFHandler(KEY, { id: track.id, label: track.label });
      const types = capabilities.audioCodecs.filter(({ name }) => name === "dtmf").map((codec) => codec["payload-id"]);
      listenForTones(receiver, types, (tone) => fire(tones, "dtmf", { tone }));
      queueMicrotask(() => fire(this, "adddtmfhandler", { handler: tones }));
    }
  }

  async #stateChanged() {
    const state = this.#pc.connectionState;
    if (state === "connected" && this.#told !== "connected") {
      this.#told = "connected";
      this.remote.dtls.fingerprint = this.#remoteDtls.fingerprint;
      fire(this, "connected");
      this.#tellPair();
      return;
    }
    // One that never came about has failed, too.
    const ended = state === "failed" || (["disconnected", "closed"].includes(state) && this.#told === "connected");
    if (ended && this.#told !== "disconnected" && !this.#closed) {
      this.#told = "disconnected";
      fire(this, "disconnected");
    }
  }

  /** Tells of the active pair; by the statistics where the browser has nothing better. */
  async #tellPair() {
    const transport = this.#pc.getSenders()[0]?.transport?.iceTransport;
    if (!transport?.getSelectedCandidatePair) {
      const stats = await this.#pc.getStats();
      const pair = [...stats.values()].find(({ type, selected }) => type === "candidate-pair" && selected);
      if (!pair || this.#closed) return;
      const side = (id) => describeStats(stats.get(id));
      const members = { localCandidate: side(pair.localCandidateId), remoteCandidate: side(pair.remoteCandidateId) };
      fire(this, "activecandidate", members);
      return;
    }
    const told = () => {
      const pair = transport.getSelectedCandidatePair();
      if (!pair?.local?.candidate) return;
      const localCandidate = describeCandidate(pair.local, undefined);
      const remoteCandidate = describeCandidate(pair.remote, undefined);
      fire(this, "activecandidate", { localCandidate, remoteCandidate });
    };
    transport.addEventListener("selectedcandidatepairchange", told);
    told();
  }
}

/** What the draft shares between connections; a browser has none to give. */
export class RTCSocket {
  constructor() {
    throw new TypeError("sockets come from getLocalSocket()");
  }
}

export function getRTCCapabilities() {
  if (!capabilities) throw invalidState("await RTCConnection.ready() first");
  return structuredClone(capabilities);
}

export function getRTCCodec(name) {
  const { audioCodecs, videoCodecs } = getRTCCapabilities();
  return [...audioCodecs, ...videoCodecs].find((codec) => codec.name === aliases(name)) ?? null;
}

/** Puts the draft's names where its examples look for them, and the two old calls that they use. */
export function install(target = globalThis) {
  Object.assign(target, { RTCConnection, RTCTrack, RTCDTMFHandler, RTCSocket });
  const { navigator, URL, HTMLMediaElement } = target;
  navigator.getRTCCapabilities = getRTCCapabilities;
  navigator.getRTCCodec = getRTCCodec;
  navigator.getUserMedia = (constraints, done, failed) => {
    navigator.mediaDevices.getUserMedia(constraints).then(done, failed);
  };
  // `element.src = URL.createObjectURL(stream)`: the URL is a key, and setting it sets srcObject.
  const streams = new Map();
  const { createObjectURL } = URL;
  URL.createObjectURL = (object) => {
    if (!(object instanceof MediaStream)) return createObjectURL.call(URL, object);
    const url = `ortc-stream:${object.id}`;
    streams.set(url, object);
    return url;
  };
  const src = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "src");
  Object.defineProperty(HTMLMediaElement.prototype, "src", {
    ...src,
    set(url) {
      const stream = streams.get(url);
      if (stream) this.srcObject = stream;
      else src.set.call(this, url);
    },
  });
}
