// Tracks that the page sends, and tones.

import { handler, invalidState } from "./event.js";
import { extensionIds, isDtmf, isMedia, midHeader, rtxTable, sameCodec, toDraftCodec } from "./sdp.js";

const DTMF_MIN = 70, DTMF_MAX = 6000, DTMF_DEFAULT = 100, GAP_MIN = 50;

/** Who has it makes tracks and handlers. */
export const KEY = Symbol("key");
export const DTMF = Symbol("dtmf");
export const SECTION = Symbol("section");
/** What a peer of the draft is asked to receive. */
export const PEER_CODECS = new Set(["opus", "pcma", "pcmu", "telephone-event", "vp8", "h264"]);

export function aliases(name) {
  const lower = name.toLowerCase();
  return { pcma: "alaw", pcmu: "ulaw", "telephone-event": "dtmf" }[lower] ?? lower;
}

export class RTCTrack {
  #transceiver;
  #owner;
  #codecs;
  #dtmf;
  #removed = false;

  constructor(key, source, msid, { transceiver, section }, owner) {
    if (key !== KEY) throw new TypeError("tracks are made by addStream()");
    this.#transceiver = transceiver;
    this.#owner = owner;
    this.#codecs = section.codecs.filter(isMedia).filter((codec) => PEER_CODECS.has(codec.name.toLowerCase()))
      .map(toDraftCodec);
    this[SECTION] = section;
    this.source = source;
    this.msid = msid;
    this.mediaAttributes = [];
    this.rtpExtHeaders = {};
  }

  get kind() {
    return this.source.kind;
  }

  get ssrc() {
    return this[SECTION].ssrc;
  }

  get codecs() {
    return this.#codecs;
  }

  set codecs(codecs) {
    const section = this[SECTION];
    const usable = codecs.filter((draft) => section.codecs.some((codec) => sameCodec(draft, codec)));
    if (!usable.some(({ name }) => aliases(name) !== "dtmf")) {
      throw new DOMException("none of the codecs is supported", "NotSupportedError");
    }
    this.#codecs = usable;
    this.#owner.changed();
  }

  getDescription() {
    const section = this[SECTION];
    const ids = this.#codecs.map((codec) => codec["payload-id"]);
    const description = {
      kind: this.kind,
      ssrc: this.ssrc,
      msid: [...this.msid],
      codecs: this.#codecs,
      rtpExtHeaders: { ...midHeader(section), ...this.rtpExtHeaders },
      rtpExtHeaderIds: extensionIds(section),
      rtcpFeedback: this.kind === "video" ? ["nack", "nack pli", "ccm fir"] : [],
      dtls: this.#owner.dtls(),
    };
    if (this.mediaAttributes.length > 0) description.mediaAttributes = this.mediaAttributes;
    const payloadIds = rtxTable(section, ids);
    if (section.rtxSsrc && Object.keys(payloadIds).length > 0) {
      description.rtx = { ssrc: section.rtxSsrc, payloadIds };
    }
    return description;
  }

  start() {
    this.#check();
    this.#transceiver.sender.replaceTrack(this.source);
  }

  stop() {
    this.#check();
    this.#transceiver.sender.replaceTrack(null);
  }

  remove() {
    this.stop();
    this.#removed = true;
    this.#transceiver.direction = "inactive";
    this.#owner.changed();
  }

  [DTMF]() {
    if (!this.#dtmf) {
      const codec = this[SECTION].codecs.filter(isDtmf)
        .sort((a, b) => Number(b.clockRate === 8000) - Number(a.clockRate === 8000));
      // Both clock rates where the browser has both; the peer takes the one of its audio.
      this.#codecs = [...this.#codecs, ...codec.map(toDraftCodec)];
      const { id, label } = this.source;
      this.#dtmf = new RTCDTMFHandler(KEY, { id, label, sender: () => this.#transceiver.sender.dtmf });
      this.#owner.changed();
    }
    return this.#dtmf;
  }

  #check() {
    if (this.#removed) throw invalidState("the track was removed");
  }
}

export class RTCDTMFHandler extends EventTarget {
  #sender;

  constructor(key, { id, label, sender }) {
    super();
    if (key !== KEY) throw new TypeError("handlers are made by addDtmfHandler()");
    this.#sender = sender;
    this.id = id;
    this.label = label;
    this.duration = DTMF_DEFAULT;
    this.interToneGap = GAP_MIN;
    handler(this, "dtmf");
  }

  get toneBuffer() {
    return this.#sender?.()?.toneBuffer ?? "";
  }

  insertDTMF(tones, duration = DTMF_DEFAULT, interToneGap = GAP_MIN) {
    const sender = this.#sender?.();
    if (!sender) throw invalidState("a receiving handler sends no tones");
    if (duration < DTMF_MIN || duration > DTMF_MAX) throw new RangeError("duration is 70 to 6000 ms");
    if (interToneGap < GAP_MIN) throw new RangeError("interToneGap is at least 50 ms");
    this.duration = duration;
    this.interToneGap = interToneGap;
    sender.insertDTMF([...tones].filter((tone) => /[0-9A-Da-d#*,]/.test(tone)).join(""), duration, interToneGap);
  }
}
