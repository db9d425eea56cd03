// node-datachannel: libdatachannel (libjuice, OpenSSL or mbedTLS, libsrtp) in Node.js.

import datachannel from "node-datachannel";

import { obey, say } from "./lines.mjs";
import { Decoder, play } from "./media.mjs";
import { ToneReader, Voice } from "./tones.mjs";

const AUDIO = 111, TONES = 126, VIDEO = 96;
const SSRC = { audio: 1_111, video: 2_222 };
const connection = new datachannel.PeerConnection("peer", { iceServers: [] });
connection.onStateChange((state) => say({ state }));

const heard = new ToneReader();
const isRtcp = (packet) => packet[1] >= 192 && packet[1] <= 223; // RFC 5761 §4
const HEADER = 12;

/** The length of the header, which the library leaves on: contributing sources and extension. */
function payloadOf(packet) {
  const at = HEADER + 4 * (packet[0] & 0x0f);
  return packet.subarray((packet[0] & 0x10) === 0 ? at : at + 4 + 4 * packet.readUInt16BE(at + 2));
}

function add(media, kind, decoder) {
  media.addSSRC(SSRC[kind], "peer", "stream", kind);
  const track = connection.addTrack(media);
  // Without these nobody reports what arrives, asks for a key frame, or sends again what is lost.
  const reports = new datachannel.RtcpReceivingSession();
  reports.addToChain(new datachannel.RtcpNackResponder());
  track.setMediaHandler(reports);
  track.onMessage((packet) => {
    if (isRtcp(packet)) return;
    if ((packet[1] & 0x7f) === TONES) heard.read(payloadOf(packet), packet.readUInt32BE(4));
    else decoder.write(packet);
  });
  return (packet) => track.isOpen() && track.sendMessageBinary(packet);
}

const decoders = { audio: await Decoder.start("audio", AUDIO), video: await Decoder.start("video", VIDEO) };
const audio = new datachannel.Audio("0", "SendRecv");
audio.addOpusCodec(AUDIO);
audio.addAudioCodec(TONES, "telephone-event/48000");
const voice = new Voice(TONES, add(audio, "audio", decoders.audio));
await play("audio", AUDIO, SSRC.audio, (packet) => voice.speak(packet));
const video = new datachannel.Video("1", "SendRecv");
video.addVP8Codec(VIDEO);
await play("video", VIDEO, SSRC.video, add(video, "video", decoders.video));
setInterval(() => say({ seen: { audio: decoders.audio.meter, video: decoders.video.meter, tones: heard.heard } }), 250);

/** The description is whole once all candidates are in it. */
function gathered(type) {
  const done = () => say({ [type]: connection.localDescription().sdp });
  connection.onGatheringStateChange((state) => state === "complete" && done());
}

obey({
  offer() {
    gathered("offer");
    connection.setLocalDescription("offer");
  },
  take({ type, sdp }) {
    if (type === "offer") gathered("answer");
    connection.setRemoteDescription(sdp, type);
  },
  dial: (tones) => voice.dial(tones),
  close: () => connection.close(),
});
