// The members of the draft's classes and objects, by its WebIDL and its sections 7 and 8.

export const MEMBERS = {
  connection: ["local", "remote", "getLocalSocket", "setLocalCandidate", "setRemoteCandidate", "connect", "update",
    "addStream", "removeStream", "track", "tracks", "receiveTrack", "addDtmfHandler", "getSendingStreams",
    "getReceivingStreams", "close", "oncandidate", "onendofcandidates", "onactivecandidate", "onconnected",
    "ondisconnected", "onaddstream", "onunknowntrack", "onadddtmfhandler", "addEventListener"],
  side: ["ice", "dtls"],
  ice: ["usernameFrag", "password"],
  dtls: ["fingerprint"],
  fingerprint: ["sha-256"],
  track: ["source", "kind", "ssrc", "msid", "codecs", "mediaAttributes", "rtpExtHeaders", "getDescription", "start",
    "stop", "remove"],
  description: ["kind", "ssrc", "msid", "codecs"],
  codec: ["payload-id", "name", "clockRate"],
  dtmf: ["id", "label", "toneBuffer", "duration", "interToneGap", "insertDTMF", "ondtmf", "addEventListener"],
  navigator: ["getRTCCapabilities", "getRTCCodec"],
  capabilities: ["audioCodecs", "videoCodecs"],
  remoteStream: ["onconnected", "ondisconnected", "addTrack"],
  remoteTrack: ["onconnected", "ondisconnected"],
  classes: ["RTCConnection", "RTCTrack", "RTCDTMFHandler", "RTCSocket"],
};

/** Runs in a page that is connected: what is missing. */
export function membersOf(members) {
  const { connection } = globalThis.ortc;
  const [track] = connection.tracks();
  const [stream] = connection.getReceivingStreams();
  const objects = {
    connection,
    side: connection.local,
    ice: connection.local.ice,
    dtls: connection.local.dtls,
    fingerprint: connection.local.dtls.fingerprint,
    track,
    description: track.getDescription(),
    codec: track.codecs[0],
    dtmf: connection.addDtmfHandler(),
    navigator,
    capabilities: navigator.getRTCCapabilities(),
    remoteStream: stream,
    remoteTrack: stream.getTracks()[0],
    classes: globalThis,
  };
  const lacks = ([name, wanted]) => wanted.filter((member) => !(member in objects[name])).map((member) => `${name}.${member}`);
  const missing = Object.entries(members).flatMap(lacks);
  // The mandatory names of section 6, as far as the browser has the codec at all.
  for (const name of ["opus", "alaw", "ulaw", "dtmf", "vp8"]) if (!navigator.getRTCCodec(name)) missing.push(`codec ${name}`);
  if (navigator.getRTCCodec("x-none") !== null) missing.push("null for an unknown codec");
  if (connection.track(track.source) !== track) missing.push("track(source)");
  return missing;
}
