// Who is called, how each is installed and started, and what it can do besides sound and pictures:
// tones, packets that are asked for and sent again, an end of the call that DTLS tells (`close_notify`).

import { ECHO_CALLS } from "./calls.mjs";

export const PEERS = [
  {
    name: "aiortc",
    asksAgain: true,
    sendsAgain: true,
    saysGoodbye: true,
    hearsGoodbye: true,
    install: async (scratch) => {
      const how = await scratch.pip("aiortc", ["aiortc"]);
      return { ...how, command: [how.python, "aiortc_peer.py"] };
    },
  },
  {
    name: "werift",
    asksAgain: true,
    sendsAgain: true,
    sendsTones: true,
    hearsTones: true,
    install: async (scratch) => ({ ...await scratch.npm("werift", ["werift"]), command: ["node", "werift.mjs"] }),
  },
  {
    name: "node-datachannel",
    sendsAgain: true,
    sendsTones: true,
    hearsTones: true,
    hearsGoodbye: true,
    install: async (scratch) => {
      const how = await scratch.npm("node-datachannel", ["node-datachannel"]);
      return { ...how, command: ["node", "node-datachannel.mjs"] };
    },
  },
  {
    name: "GStreamer webrtcbin",
    asksAgain: true,
    sendsAgain: true,
    sendsTones: true,
    hearsTones: true,
    hearsGoodbye: true,
    install: async (scratch) => {
      const packages = ["gstreamer1.0-plugins-bad", "gstreamer1.0-plugins-base", "gstreamer1.0-plugins-good",
        "gstreamer1.0-nice", "python3-gst-1.0", "gir1.2-gst-plugins-bad-1.0"];
      // Only the Python of Debian has the bindings.
      return { ...await scratch.debian("webrtcbin", packages), command: ["/usr/bin/python3", "webrtcbin.py"] };
    },
  },
  {
    name: "Janus",
    echoes: true,
    asksAgain: true,
    sendsAgain: true,
    saysGoodbye: true,
    hearsGoodbye: true,
    calls: ECHO_CALLS,
    install: async (scratch) => {
      const { version } = await scratch.debian("janus", ["janus"]);
      return { ...await scratch.npm("janus", ["ws"]), version, command: ["node", "janus.mjs"] };
    },
  },
];
