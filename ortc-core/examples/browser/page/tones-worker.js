// Reads telephone events out of the packets of one receiver and hands everything else on.

const KEYS = "0123456789*#ABCD";

onrtctransform = ({ transformer }) => {
  const { payloadTypes } = transformer.options;
  let last;
  const read = (frame, controller) => {
    const { payloadType, rtpTimestamp = frame.timestamp } = frame.getMetadata();
    // Handed on in any case: the browser may play it.
    controller.enqueue(frame);
    if (!payloadTypes.includes(payloadType)) return;
    // Every packet of an event has the timestamp of its beginning, the last one three times.
    const [event] = new Uint8Array(frame.data);
    if (rtpTimestamp === last || event >= KEYS.length) return;
    last = rtpTimestamp;
    postMessage(KEYS[event]);
  };
  transformer.readable.pipeThrough(new TransformStream({ transform: read })).pipeTo(transformer.writable);
};
