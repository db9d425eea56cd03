// What a call must show. Each check waits until it holds, and says what it saw when it never does.

export const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** Waits until `look(page)` gives something that `fits`. */
export async function until(what, look, fits, seconds = 15) {
  const end = Date.now() + seconds * 1000;
  let seen;
  do {
    seen = await look();
    if (fits(seen)) return seen;
    await sleep(200);
  } while (Date.now() < end);
  throw new Error(`${what}: after ${seconds} s it is ${JSON.stringify(seen)}`);
}

export const inbound = (page) => page.evaluate(async () => {
  const connection = globalThis.ortc?.connection ?? globalThis.seen?.conn;
  if (!connection) return [];
  const stats = [...(await connection.peerConnection.getStats()).values()];
  return stats.filter(({ type }) => type === "inbound-rtp").map((entry) => ({
    kind: entry.kind,
    packets: entry.packetsReceived,
    frames: entry.framesDecoded ?? 0,
    samples: (entry.totalSamplesReceived ?? 0) - (entry.concealedSamples ?? 0),
    lost: entry.packetsLost,
    nacks: entry.nackCount,
    repaired: entry.retransmittedPacketsReceived,
  }));
});

export const state = (page) => page.evaluate(() => document.getElementById("state").textContent);

export const figures = (page) => page.evaluate(() => globalThis.ortc.figures);

export async function connected(page) {
  await until("the page is connected", () => state(page), (text) => text === "Connected");
}

/** The browser decodes this many pictures and this much sound of each track that Rust sends. */
export async function browserDecodes(page, { video = 2, audio = 2, frames = 60, samples = 48_000 } = {}) {
  const enough = (entries) => {
    const good = (kind, field, least) =>
      entries.filter((entry) => entry.kind === kind && entry[field] >= least).length;
    return good("video", "frames", frames) >= video && good("audio", "samples", samples) >= audio;
  };
  return until("the browser decodes what Rust sends", () => inbound(page), enough, 25);
}

/** Rust puts together this many frames of each track that the page sends. */
export async function rustReceives(page, { tracks = 2, frames = 60 } = {}) {
  const enough = (seen) => seen?.receiving.filter((track) => track.frames >= frames).length >= tracks;
  return until("Rust receives what the page sends", () => figures(page), enough, 25);
}

/** The colour bars of the test film, read back from a canvas: red, yellow, blue, cyan. */
export async function filmIsSeen(page) {
  const bars = () => page.evaluate(() => {
    const video = document.getElementById("view-film");
    if (!video?.videoWidth) return null;
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: video.videoWidth, height: video.videoHeight });
    const pen = canvas.getContext("2d");
    pen.drawImage(video, 0, 0);
    const at = (place) => [...pen.getImageData(Math.round(canvas.width * place), canvas.height - 4, 1, 1).data.slice(0, 3)];
    return [0.08, 0.42, 0.58, 0.92].map(at);
  });
  const close = (colour, wanted) => colour.every((value, index) => Math.abs(value - wanted[index]) < 90);
  const wanted = [[255, 0, 0], [255, 255, 0], [0, 0, 255], [0, 255, 255]];
  const right = (colours) => colours !== null && colours.every((colour, index) => close(colour, wanted[index]));
  await until("the test film is seen", bars, right);
}

export async function dial(page, tones) {
  for (const tone of tones) {
    await page.evaluate((key) => {
      [...document.querySelectorAll("#keys button")].find((button) => button.textContent === key).click();
    }, tone);
  }
  const heard = () => page.evaluate(() => globalThis.ortc.byRust);
  await until("Rust hears the tones", heard, (text) => text === tones);
}

/** Rust dials, and the page is told each tone. */
export async function rustDials(page, tones) {
  await page.evaluate((text) => {
    globalThis.ortc.heard = "";
    document.getElementById("tones").value = text;
    document.querySelector("#ask button").click();
  }, tones);
  await until("the page hears the tones", () => page.evaluate(() => globalThis.ortc.heard), (text) => text === tones);
}

/**
 * Rust dials, and the browser plays each tone: its two frequencies (ITU-T Q.23) are what is heard of
 * the received track, by Goertzel's algorithm.
 */
export async function tonesArePlayed(page, tones) {
  await page.evaluate(async () => {
    const stream = globalThis.ortc.connection.getReceivingStreams().find(({ id }) => id === "film");
    const context = new AudioContext({ sampleRate: 48_000 });
    await context.resume();
    const analyser = context.createAnalyser();
    Object.assign(analyser, { fftSize: 2048, smoothingTimeConstant: 0 });
    context.createMediaStreamSource(new MediaStream(stream.getAudioTracks())).connect(analyser);
    const LOW = [697, 770, 852, 941], HIGH = [1209, 1336, 1477, 1633], KEYS = ["123A", "456B", "789C", "*0#D"];
    const samples = new Float32Array(analyser.fftSize);
    const power = (frequency) => {
      const turn = 2 * Math.cos((2 * Math.PI * frequency) / context.sampleRate);
      let [last, before] = [0, 0];
      for (const sample of samples) [last, before] = [sample + turn * last - before, last];
      return last * last + before * before - turn * last * before;
    };
    const strongest = (powers) => powers.indexOf(Math.max(...powers));
    globalThis.ortc.played = "";
    setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const energy = samples.reduce((total, sample) => total + sample * sample, 0);
      const [low, high] = [LOW.map(power), HIGH.map(power)];
      const [row, column] = [strongest(low), strongest(high)];
      // Nearly nothing else is in it.
      const share = ((low[row] + high[column]) * 2) / samples.length / energy;
      const key = KEYS[row][column];
      if (energy > 0.01 && share > 0.9 && !globalThis.ortc.played.endsWith(key)) globalThis.ortc.played += key;
    }, 10);
  });
  // A page that has no time to listen, on a busy machine, misses one.
  for (let attempts = 3; ; attempts -= 1) {
    await page.evaluate(() => { globalThis.ortc.played = ""; });
    await rustDials(page, tones);
    const played = () => page.evaluate(() => globalThis.ortc.played);
    try {
      return await until("the browser plays the tones", played, (text) => text === tones, 5);
    } catch (error) {
      if (attempts === 1) throw error;
    }
  }
}

export async function noErrors(page) {
  const errors = await page.evaluate(() => globalThis.ortc.errors);
  if (errors.length > 0) throw new Error(`the page says: ${errors.join("; ")}`);
}

export async function hangUp(page) {
  await page.evaluate(() => document.getElementById("stop").click());
}

/** The ICE roles are opposed, as both sides say it where the browser says it; gives Rust's. */
export async function iceRole(page) {
  const both = () => page.evaluate(async () => {
    const connection = globalThis.ortc.connection.peerConnection;
    const stats = [...(await connection.getStats()).values()];
    const own = stats.find(({ type }) => type === "transport")?.iceRole ?? connection.getSenders()[0].transport?.iceTransport?.role;
    return { own, rust: globalThis.ortc.figures?.ice };
  });
  // Rust's figures are up to a second old, and a role is repaired in less.
  const opposed = ({ own, rust }) => rust && (!own || own === "unknown" || own !== rust);
  return (await until("the ICE roles are opposed", both, opposed, 5)).rust;
}

/** Nothing that came was dropped for a reason that points at the other side. */
export async function nothingIsDropped(page) {
  const { dropped } = await figures(page);
  const bad = Object.entries(dropped).filter(([reason]) => /authentication|replay/.test(reason));
  if (bad.length > 0) throw new Error(`dropped: ${JSON.stringify(bad)}`);
}

/** How fast Rust receives the tracks of the page, in frames in a second and a half, by SSRC. */
export async function pace(page) {
  const counts = async () => new Map((await figures(page)).receiving.map(({ ssrc, frames }) => [ssrc, frames]));
  // Figures come once a second.
  const before = await counts();
  await sleep(2_500);
  const after = await counts();
  return new Map([...after].map(([ssrc, frames]) => [ssrc, frames - (before.get(ssrc) ?? 0)]));
}
