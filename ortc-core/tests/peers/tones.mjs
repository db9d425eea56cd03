// Telephone events (RFC 4733), for peers that only carry packets.

const TONES = "0123456789*#ABCD";
const STEP = 20; // ms between reports
const UPDATES = 5;
const ENDS = 3;
const GAP = 60; // ms
const END = 0x80;
const MARKER = 0x80;
const VOLUME = 10;
const TICKS = 48; // a millisecond, on the clock of Opus

const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** One source of sound: speech or tones, numbered together. */
export class Voice {
  #send;
  #payloadType;
  #last;
  #number = 100;
  #dialling = false;

  /** Every packet goes to `send`; tones have this payload type. */
  constructor(payloadType, send) {
    this.#payloadType = payloadType;
    this.#send = send;
  }

  speak(packet) {
    this.#last = packet;
    if (!this.#dialling) this.#out(packet);
  }

  #out(packet) {
    packet.writeUInt16BE(this.#number, 2);
    this.#number = (this.#number + 1) & 0xffff;
    this.#send(packet);
  }

  #report(timestamp, { tone, step, end, first }) {
    const packet = Buffer.concat([this.#last.subarray(0, 12), Buffer.alloc(4)]);
    packet[1] = this.#payloadType | (first ? MARKER : 0);
    packet.writeUInt32BE(timestamp, 4);
    packet[12] = TONES.indexOf(tone);
    packet[13] = VOLUME | (end ? END : 0);
    packet.writeUInt16BE(step * STEP * TICKS, 14);
    this.#out(packet);
  }

  async dial(text) {
    this.#dialling = true;
    for (const tone of text) {
      const timestamp = this.#last.readUInt32BE(4);
      for (let step = 1; step <= UPDATES; step += 1) {
        this.#report(timestamp, { tone, step, first: step === 1 });
        await sleep(STEP);
      }
      for (let times = 0; times < ENDS; times += 1) this.#report(timestamp, { tone, step: UPDATES, end: true });
      await sleep(GAP);
    }
    this.#dialling = false;
  }
}

/** The tones of what arrives: a new timestamp is a new tone, whatever else was lost. */
export class ToneReader {
  heard = "";
  #timestamp;

  read(payload, timestamp) {
    if (timestamp === this.#timestamp) return;
    this.#timestamp = timestamp;
    this.heard += TONES[payload[0]] ?? "?";
  }
}
