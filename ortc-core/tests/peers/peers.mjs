// Who is called, how each is installed and started, and what it can do besides sound and pictures:
// tones, and an end of the call that DTLS tells (`close_notify`).

export const PEERS = [
  {
    name: "aiortc",
    saysGoodbye: true,
    hearsGoodbye: true,
    install: async (scratch) => {
      const how = await scratch.pip("aiortc", ["aiortc"]);
      return { ...how, command: [how.python, "aiortc_peer.py"] };
    },
  },
  {
    name: "werift",
    sendsTones: true,
    hearsTones: true,
    install: async (scratch) => ({ ...await scratch.npm("werift", ["werift"]), command: ["node", "werift.mjs"] }),
  },
  {
    name: "node-datachannel",
    sendsTones: true,
    hearsTones: true,
    saysGoodbye: true,
    hearsGoodbye: true,
    install: async (scratch) => {
      const how = await scratch.npm("node-datachannel", ["node-datachannel"]);
      return { ...how, command: ["node", "node-datachannel.mjs"] };
    },
  },
];
