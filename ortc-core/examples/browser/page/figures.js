// What the browser's own statistics say of a call, once a second.

const sum = (entries, field) => entries.reduce((total, entry) => total + (entry[field] ?? 0), 0);

export class Figures {
  #before = new Map();

  /** How much a counter grew since the last call. */
  #since(name, value) {
    const grown = value - (this.#before.get(name) ?? value);
    this.#before.set(name, value);
    return Math.max(0, grown);
  }

  /** Rates, loss and round trip of the last second, and a row for each track. */
  async of(peerConnection) {
    const stats = [...(await peerConnection.getStats()).values()];
    const of = (type) => stats.filter((entry) => entry.type === type);
    const known = new Map(stats.map((entry) => [entry.id, entry]));
    const codec = (entry) => (known.get(entry.codecId)?.mimeType ?? "").replace(/^.*\//, "").toLowerCase();
    const inbound = of("inbound-rtp"), outbound = of("outbound-rtp");
    const pairs = of("candidate-pair");
    const pair = pairs.find(({ nominated, state }) => nominated && state === "succeeded");
    const lost = this.#since("lost", sum(inbound, "packetsLost"));
    const came = this.#since("came", sum(inbound, "packetsReceived"));
    const [transport] = of("transport");
    return {
      rateIn: (this.#since("in", sum(inbound, "bytesReceived")) * 8) / 1000,
      rateOut: (this.#since("out", sum(outbound, "bytesSent")) * 8) / 1000,
      loss: lost + came > 0 ? (100 * lost) / (lost + came) : 0,
      rtt: pair?.currentRoundTripTime === undefined ? null : pair.currentRoundTripTime * 1000,
      ice: transport?.iceRole,
      receiving: inbound.map((entry) => ({
        ssrc: String(entry.ssrc),
        codec: codec(entry),
        kbps: (this.#since(entry.id, entry.bytesReceived ?? 0) * 8) / 1000,
        packets: entry.packetsReceived,
        lost: entry.packetsLost,
        repaired: entry.retransmittedPacketsReceived,
        frames: entry.framesDecoded,
      })),
      sending: outbound.map((entry) => ({
        ssrc: String(entry.ssrc),
        codec: codec(entry),
        kbps: (this.#since(entry.id, entry.bytesSent ?? 0) * 8) / 1000,
        packets: entry.packetsSent,
        lost: known.get(entry.remoteId)?.packetsLost,
        repaired: entry.retransmittedPacketsSent,
        frames: entry.framesEncoded,
      })),
    };
  }
}
