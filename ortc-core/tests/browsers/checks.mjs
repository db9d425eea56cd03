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

const inbound = (page) => page.evaluate(async () => {
  const connection = globalThis.ortc.connection;
  if (!connection) return [];
  const stats = [...(await connection.peerConnection.getStats()).values()];
  return stats.filter(({ type }) => type === "inbound-rtp").map((entry) => ({
    kind: entry.kind,
    frames: entry.framesDecoded ?? 0,
    samples: (entry.totalSamplesReceived ?? 0) - (entry.concealedSamples ?? 0),
    lost: entry.packetsLost,
    nacks: entry.nackCount,
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

/** Rust dials. Firefox lets a page see the packets of received tones, Chromium does not. */
export async function rustDials(page, tones, browser) {
  await page.evaluate((text) => {
    document.getElementById("tones").value = text;
    document.querySelector("#ask button").click();
  }, tones);
  if (browser !== "firefox") return;
  await until("the page hears the tones", () => page.evaluate(() => globalThis.ortc.heard), (text) => text === tones);
}

export async function noErrors(page) {
  const errors = await page.evaluate(() => globalThis.ortc.errors);
  if (errors.length > 0) throw new Error(`the page says: ${errors.join("; ")}`);
}

export async function hangUp(page) {
  await page.evaluate(() => document.getElementById("stop").click());
}
