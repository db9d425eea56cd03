// The browser example as one end of a call with whoever speaks SDP: what its page does, without a
// page. SDP and the draft's descriptions are translated by the page's own files.

import { sleep, until } from "../browsers/checks.mjs";

/** The modules that the program serves to its pages. */
async function pageModules(url) {
  const load = async (name) => {
    const text = await (await fetch(new URL(name, url))).text();
    return import(`data:text/javascript;base64,${Buffer.from(text).toString("base64")}`);
  };
  return { ...await load("sdp.js"), ...await load("candidate.js") };
}

/** What the example can do, as an offer of tracks that nobody ever sends: only `offer()` sees it. */
const ABILITIES = [
  "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0",
  "m=audio 9 UDP/TLS/RTP/SAVPF 111 126", "a=mid:0", "a=sendrecv", "a=ssrc:1 cname:nobody",
  "a=rtpmap:111 opus/48000/2", "a=rtpmap:126 telephone-event/48000", "a=fmtp:126 0-15",
  "m=video 9 UDP/TLS/RTP/SAVPF 96 97", "a=mid:1", "a=sendrecv", "a=ssrc-group:FID 2 3",
  "a=rtpmap:96 VP8/90000", "a=rtcp-fb:96 nack", "a=rtcp-fb:96 nack pli", "a=rtcp-fb:96 ccm fir",
  "a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96", "",
].join("\r\n");

export class Rust {
  #socket;
  #page;
  #ice;
  #candidates = [];
  #tracks = [];
  figures = null;
  heard = "";
  errors = [];
  connected = false;
  disconnected = "";

  static async call(url, WebSocket) {
    const rust = new Rust();
    rust.#page = await pageModules(url);
    rust.#socket = new WebSocket(new URL("signalling", url.replace("http", "ws")));
    rust.#socket.onmessage = ({ data }) => rust.#hear(JSON.parse(data));
    await new Promise((done, failed) => {
      rust.#socket.onopen = done;
      rust.#socket.onerror = failed;
    });
    return rust;
  }

  #hear(message) {
    if (message.iceInfo) this.#ice = message.iceInfo;
    if (message.candidate) this.#candidates.push(message.candidate);
    if (message.track) this.#tracks.push(message.track);
    if (message.figures) this.figures = message.figures;
    if (message.heard) this.heard += message.heard;
    if (message.error) this.errors.push(message.error);
    if (message.connected) this.connected = true;
    if (message.disconnected) this.disconnected = message.disconnected;
  }

  #say(message) {
    this.#socket.send(JSON.stringify(message));
  }

  /** Tells of a track of the peer, as `RTCTrack.getDescription()` of the page would. */
  #describe(section, dtls) {
    const { isDtmf, isMedia, midHeader, extensionIds, rtxTable, toDraftCodec } = this.#page;
    const codecs = section.codecs.filter((codec) => isMedia(codec) || isDtmf(codec)).map(toDraftCodec);
    const description = {
      kind: section.kind,
      ssrc: section.ssrc,
      msid: ["peer"],
      codecs,
      rtpExtHeaders: midHeader(section),
      rtpExtHeaderIds: extensionIds(section),
      rtcpFeedback: section.kind === "video" ? ["nack", "nack pli", "ccm fir"] : [],
      dtls,
    };
    const payloadIds = rtxTable(section, codecs.map((codec) => codec["payload-id"]));
    if (section.rtxSsrc && Object.keys(payloadIds).length > 0) {
      description.rtx = { ssrc: section.rtxSsrc, payloadIds };
    }
    this.#say({ track: description });
  }

  /** Tells how the peer is reached. */
  #reach(sdp, sections, role) {
    const { usernameFrag, password, dtls } = peerOf(sections, role);
    this.#say({ iceInfo: { usernameFrag, password } });
    const lines = sdp.split(/\r?\n/).filter((line) => line.startsWith("a=candidate:"));
    for (const candidate of new Set(lines)) {
      const description = this.#page.describeCandidate({ candidate }, dtls);
      if (description) this.#say({ candidate: description });
    }
    return dtls;
  }

  /** The film, in a track for each of these sections. */
  async #films(sections) {
    const films = () => sections.map(({ kind }) => this.#tracks.find((track) => track.kind === kind));
    await until("Rust describes what it sends", films, (tracks) => tracks.every((track) => track));
    await until("Rust says how it is reached", () => this.#candidates, (found) => found.length > 0);
    return new Map(films().map((track) => [track.kind, track]));
  }

  #write(sections, films) {
    const { isDtmf, isMedia, sameCodec, toBrowserCandidate, writeAnswer } = this.#page;
    const [{ dtls }] = this.#candidates;
    // The one that every peer knows (RFC 8122 §5).
    const fingerprint = ["sha-256", dtls.fingerprint["sha-256"]];
    const setup = dtls.role === "client" ? "active" : "passive";
    const { lite = false } = this.#ice;
    const peer = { ice: this.#ice, fingerprint, setup, lite };
    const sdp = writeAnswer(sections, peer, (section) => {
      const track = films.get(section.kind);
      const known = section.codecs.filter((codec) => isMedia(codec) || isDtmf(codec));
      const codecs = known.filter((codec) => track?.codecs.some((draft) => sameCodec(draft, codec)));
      return { direction: "sendrecv", codecs, rtx: Boolean(section.rtxSsrc), track };
    });
    // Not every peer trickles, and these are all there are.
    const candidates = this.#candidates.map((candidate) => `a=${toBrowserCandidate(candidate).candidate}\r\n`);
    return sdp.replace(/^(?=a=mid:)/m, [...candidates, "a=end-of-candidates\r\n"].join(""));
  }

  /** The peer's offer is taken; gives the answer. */
  async answer(offer) {
    const sections = this.#page.readOffer(offer);
    // Who offers leaves it to the other to choose (RFC 5763 §5).
    const dtls = this.#reach(offer, sections, "auto");
    sections.forEach((section) => this.#describe(section, dtls));
    return this.#write(sections, await this.#films(sections));
  }

  /**
   * An offer for the peer. The example answers a track with its film, so first it hears of tracks
   * that nobody ever sends.
   */
  async offer() {
    const sections = this.#page.readOffer(ABILITIES);
    sections.forEach((section) => this.#describe(section));
    return this.#write(sections, await this.#films(sections));
  }

  /** Takes the peer's answer to `offer()`. Who only echoes sends what it was offered, whatever it says. */
  accept(answer, { echoes }) {
    const offered = this.#page.readOffer(ABILITIES);
    const answered = this.#page.readOffer(answer);
    const sections = answered.map((section, index) => (echoes ? { ...section, codecs: offered[index].codecs } : section));
    const active = /^a=setup:active\r?$/m.test(answer);
    const dtls = this.#reach(answer, sections, active ? "client" : "server");
    sections.forEach((section) => this.#describe(section, dtls));
  }

  /** The peer is ready for the film. */
  async start() {
    const sent = new Set();
    for (const { kind, ssrc } of this.#tracks) {
      if (!sent.has(kind)) this.#say({ ready: ssrc });
      sent.add(kind);
    }
  }

  get sendsTones() {
    return this.#tracks.some(({ codecs }) => codecs.some(({ name }) => name === "dtmf"));
  }

  dial(tones) {
    this.#say({ dial: tones });
  }

  async hangUp() {
    this.#say({ hangUp: true });
    await sleep(200);
  }

  close() {
    this.#socket.close();
  }
}

function peerOf([{ ufrag, password, fingerprint }], role) {
  const [hash, value] = fingerprint.split(" ");
  return { usernameFrag: ufrag, password, dtls: { fingerprint: { [hash.toLowerCase()]: value }, role } };
}
