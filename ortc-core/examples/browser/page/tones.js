// A browser takes in telephone events (RFC 4733) and neither plays them nor tells the page. An
// encoded transform sees each received packet of the track before it is decoded: that is where the
// tones are read.

/** Calls `heard` for each tone that comes to this receiver in one of the payload types. */
export function listenForTones(receiver, payloadTypes, heard) {
  if (typeof RTCRtpScriptTransform === "undefined") return;
  const worker = new Worker("/tones-worker.js");
  worker.onmessage = ({ data }) => heard(data);
  receiver.transform = new RTCRtpScriptTransform(worker, { payloadTypes });
  receiver.track.addEventListener("ended", () => worker.terminate());
}
