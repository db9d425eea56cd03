// A client of both protocols, as any page could have it. Runs in the browser.

const TYPE = "application/sdp";
const FRAGMENT = "application/trickle-ice-sdpfrag";

/** Candidates gathered since, and then those of a restart, by PATCH (RFC 9725 §4.3). */
class Session {
  constructor(connection, endpoint, token) {
    Object.assign(this, { connection, endpoint, candidates: [] });
    this.headers = token ? { Authorization: `Bearer ${token}` } : {};
    connection.addEventListener("icecandidate", ({ candidate }) => this.candidates.push(candidate));
  }

  async open({ trickle = false, nameless = false } = {}) {
    const { connection } = this;
    await connection.setLocalDescription();
    if (!trickle) await this.gathered();
    this.candidates = [];
    const { sdp } = connection.localDescription;
    const body = nameless ? sdp.replaceAll(/a=ssrc.*\r\n/g, "") : sdp;
    const headers = { ...this.headers, "Content-Type": TYPE };
    const response = await fetch(this.endpoint, { method: "POST", headers, body });
    const text = await response.text();
    if (response.status !== 201) throw new Error(`${response.status}: ${text}`);
    this.url = new URL(response.headers.get("Location"), this.endpoint);
    this.etag = response.headers.get("ETag");
    await connection.setRemoteDescription({ type: "answer", sdp: text });
    if (trickle) {
      await this.gathered();
      const response = await this.patch(this.etag);
      if (response.status !== 204) throw new Error(`PATCH gives ${response.status}: ${await response.text()}`);
    }
  }

  async gathered() {
    while (this.connection.iceGatheringState !== "complete") await new Promise((done) => setTimeout(done, 50));
  }

  patch(etag) {
    const { sdp } = this.connection.localDescription;
    const lines = sdp.split("\r\n");
    const first = (name) => lines.find((line) => line.startsWith(name));
    const candidates = lines.filter((line) => line.startsWith("a=candidate"));
    const body = [first("a=ice-ufrag"), first("a=ice-pwd"), first("m="), first("a=mid"), ...new Set(candidates),
      "a=end-of-candidates", ""].join("\r\n");
    return fetch(this.url, { method: "PATCH", headers: { ...this.headers, "Content-Type": FRAGMENT, "If-Match": etag }, body });
  }

  /** New credentials both ways; what was agreed otherwise stays. */
  async restart() {
    const { connection } = this;
    const former = connection.remoteDescription.sdp;
    connection.restartIce();
    await connection.setLocalDescription();
    await this.gathered();
    const response = await this.patch("*");
    const fragment = await response.text();
    if (response.status !== 200) throw new Error(`PATCH gives ${response.status}: ${fragment}`);
    this.etag = response.headers.get("ETag");
    const value = (name) => new RegExp(`a=${name}:(.*)`).exec(fragment)[1].trim();
    const sdp = former.replaceAll(/a=ice-ufrag:.*\r/g, `a=ice-ufrag:${value("ice-ufrag")}\r`)
      .replaceAll(/a=ice-pwd:.*\r/g, `a=ice-pwd:${value("ice-pwd")}\r`);
    await connection.setRemoteDescription({ type: "answer", sdp });
  }

  async end() {
    const response = await fetch(this.url, { method: "DELETE", headers: this.headers });
    this.connection.close();
    return response.status;
  }
}

globalThis.publish = async (endpoint, { token, ...how } = {}) => {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
  const connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  for (const track of stream.getTracks()) {
    connection.addTransceiver(track, { direction: "sendonly", streams: [stream] });
  }
  globalThis.session = new Session(connection, endpoint, token);
  await globalThis.session.open(how);
};

globalThis.play = async (endpoint, { token, ...how } = {}) => {
  const connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  for (const kind of ["audio", "video"]) connection.addTransceiver(kind, { direction: "recvonly" });
  document.querySelector("video")?.remove();
  const video = document.createElement("video");
  Object.assign(video, { autoplay: true, muted: true, srcObject: new MediaStream() });
  document.body.append(video);
  connection.addEventListener("track", ({ track }) => video.srcObject.addTrack(track));
  globalThis.session = new Session(connection, endpoint, token);
  await globalThis.session.open(how);
};

globalThis.received = async () => {
  const stats = [...(await globalThis.session.connection.getStats()).values()];
  const of = (kind) => stats.find((entry) => entry.type === "inbound-rtp" && entry.kind === kind) ?? {};
  const video = document.querySelector("video");
  return {
    frames: of("video").framesDecoded ?? 0,
    samples: (of("audio").totalSamplesReceived ?? 0) - (of("audio").concealedSamples ?? 0),
    width: video?.videoWidth ?? 0,
    lit: lit(video),
    state: globalThis.session.connection.connectionState,
  };
};

/** Places of 64 that are not black: a picture that is not decoded has none. One colour is a picture too:
 *  that is what the fake camera of Firefox shows. */
function lit(video) {
  if (!video?.videoWidth) return 0;
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: video.videoWidth, height: video.videoHeight });
  const pen = canvas.getContext("2d");
  pen.drawImage(video, 0, 0);
  const places = Array.from({ length: 64 }, (_, at) => {
    const x = Math.floor((canvas.width * ((at % 8) + 0.5)) / 8);
    const y = Math.floor((canvas.height * (Math.floor(at / 8) + 0.5)) / 8);
    return pen.getImageData(x, y, 1, 1).data.slice(0, 3);
  });
  return places.filter((colour) => Math.max(...colour) > 32).length;
}
