// Who is called, how each is installed and started, and what it can do besides sound and pictures:
// tones, packets that are asked for and sent again, an end of the call that DTLS tells (`close_notify`).

import { BEYOND_CONSENT, peerHangsUp, rustHangsUp, signallingHangsUp } from "./calls.mjs";

/** It answers, and sends back what it gets. */
const JANUS_CALLS = [
  { name: "Rust is the DTLS server", options: ["--dtls", "server", "--ice", "controlling"], end: peerHangsUp },
  { name: "Rust is the DTLS client", options: ["--dtls", "client", "--ice", "controlling"], end: rustHangsUp },
  { name: "its certificate is RSA", options: ["--dtls", "client", "--ice", "controlling"],
    env: { PEER_RSA: "1" }, end: peerHangsUp },
  { name: "it is ICE lite", options: ["--ice", "controlling"], env: { PEER_ICE_LITE: "1" }, end: peerHangsUp },
  { name: "Rust is ICE lite", options: ["--ice", "lite"], lasts: BEYOND_CONSENT, end: peerHangsUp },
  { name: "5 % loss", options: ["--ice", "controlling", "--loss", "5"], loses: true, end: signallingHangsUp },
].map((call) => ({ ...call, answers: true }));

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
    calls: JANUS_CALLS,
    install: async (scratch) => {
      const { version } = await scratch.debian("janus", ["janus"]);
      return { ...await scratch.npm("janus", ["ws"]), version, command: ["node", "janus.mjs"] };
    },
  },
];
