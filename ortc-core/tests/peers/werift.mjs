// werift: WebRTC in TypeScript, with a DTLS of its own.

import { MediaStreamTrack, RTCPeerConnection, RTCRtpCodecParameters, RtpPacket, useNACK, usePLI } from "werift";

import { obey, say } from "./lines.mjs";
import { Decoder, play } from "./media.mjs";
import { ToneReader, Voice } from "./tones.mjs";

const AUDIO = 111, TONES = 126, VIDEO = 96, AGAIN = 97;
const codec = (payloadType, mimeType, clockRate, more) =>
  new RTCRtpCodecParameters({ payloadType, mimeType, clockRate, ...more });
const connection = new RTCPeerConnection({
  iceServers: [],
  bundlePolicy: "max-bundle",
  codecs: {
    audio: [
      codec(AUDIO, "audio/opus", 48_000, { channels: 2 }),
      codec(TONES, "audio/telephone-event", 48_000, { parameters: "0-15" }),
    ],
    video: [
      codec(VIDEO, "video/VP8", 90_000, { rtcpFeedback: [useNACK(), usePLI()] }),
      codec(AGAIN, "video/rtx", 90_000, { parameters: `apt=${VIDEO}` }),
    ],
  },
});
connection.connectionStateChange.subscribe((state) => say({ state }));

const heard = new ToneReader();
function add(kind, decoder) {
  const source = new MediaStreamTrack({ kind });
  const transceiver = connection.addTransceiver(source, { direction: "sendrecv" });
  transceiver.onTrack.subscribe((track) => track.onReceiveRtp.subscribe((rtp) => {
    if (rtp.header.payloadType === TONES) heard.read(rtp.payload, rtp.header.timestamp);
    else decoder.write(rtp.serialize());
  }));
  return { source, sender: transceiver.sender };
}

const decoders = { audio: await Decoder.start("audio", AUDIO), video: await Decoder.start("video", VIDEO) };
const { sender } = add("audio", decoders.audio);
const voice = new Voice(TONES, (packet) => {
  // It sends with one payload type only, that of speech, so packets go past that.
  const { header, payload } = RtpPacket.deSerialize(packet);
  header.ssrc = sender.ssrc;
  if (connection.connectionState === "connected") sender.dtlsTransport.sendRtp(payload, header);
});
await play("audio", AUDIO, 1, (packet) => voice.speak(packet));
const { source } = add("video", decoders.video);
await play("video", VIDEO, 1, (packet) => source.writeRtp(packet));
setInterval(() => say({ seen: { audio: decoders.audio.meter, video: decoders.video.meter, tones: heard.heard } }), 250);

obey({
  async offer() {
    await connection.setLocalDescription(await connection.createOffer());
    say({ offer: connection.localDescription.sdp });
  },
  async take({ type, sdp }) {
    await connection.setRemoteDescription({ type, sdp });
    if (type !== "offer") return;
    await connection.setLocalDescription(await connection.createAnswer());
    say({ answer: connection.localDescription.sdp });
  },
  dial: (tones) => voice.dial(tones),
  close: () => connection.close(),
});
