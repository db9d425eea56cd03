// The calls. Each says with which options the program runs, what the page is asked for, and what
// must be true. `browsers` leaves out a browser that cannot, and says why.

import {
  browserDecodes, connected, dial, figures, filmIsSeen, hangUp, noErrors, rustDials, rustReceives, sleep, until,
} from "./checks.mjs";

async function wholeCall(page, browser) {
  await connected(page);
  await rustReceives(page);
  await browserDecodes(page);
  await filmIsSeen(page);
  await dial(page, "159#");
  await rustDials(page, "159#", browser);
  await noErrors(page);
}

const dtlsIs = async (page, wanted) => {
  const { dtls } = await until("figures come", () => figures(page), (seen) => seen?.dtls?.version);
  for (const [name, value] of Object.entries(wanted)) {
    if (dtls[name] !== value) throw new Error(`DTLS ${name} is ${dtls[name]} and not ${value}`);
  }
};

const codecsAre = async (page, wanted) => {
  const seen = await until("codecs are known", () => figures(page),
    (all) => all?.receiving.every((track) => track.codec));
  const codecs = seen.receiving.map((track) => track.codec).sort();
  if (codecs.join() !== [...wanted].sort().join()) throw new Error(`codecs are ${codecs}`);
};

const withPage = (run) => async ({ open, browser }) => run(await open(), browser);

export const CASES = [
  {
    name: "audio, video and tones",
    always: true,
    run: withPage(async (page, browser) => {
      await wholeCall(page, browser);
      await codecsAre(page, ["opus", "vp8"]);
    }),
  },
  { name: "Rust is the DTLS client", options: ["--dtls", "client"],
    run: withPage(async (page, browser) => {
      await wholeCall(page, browser);
      await dtlsIs(page, { role: "client" });
    }) },
  { name: "Rust is the DTLS server", options: ["--dtls", "server"],
    run: withPage(async (page, browser) => {
      await wholeCall(page, browser);
      await dtlsIs(page, { role: "server" });
    }) },
  { name: "both begin as ICE-controlling", options: ["--ice", "controlling"], run: withPage(wholeCall) },
  { name: "DTLS 1.2", options: ["--dtls-version", "1.2"],
    run: withPage(async (page, browser) => {
      await wholeCall(page, browser);
      await dtlsIs(page, { version: "DTLS 1.2" });
    }) },
  { name: "DTLS 1.3", options: ["--dtls-version", "1.3"],
    run: withPage(async (page, browser) => {
      await wholeCall(page, browser);
      await dtlsIs(page, { version: "DTLS 1.3" });
    }) },
  { name: "DTLS 1.3, Rust is the client", options: ["--dtls-version", "1.3", "--dtls", "client"],
    run: withPage(async (page, browser) => {
      await wholeCall(page, browser);
      await dtlsIs(page, { version: "DTLS 1.3", role: "client" });
    }) },
  { name: "Rust is ICE lite", options: ["--ice", "lite"], run: withPage(wholeCall) },
  { name: "G.711 and nothing else", query: "audio=ulaw&only",
    run: withPage(async (page) => {
      await connected(page);
      await rustReceives(page);
      // The speech is Opus: of sound only the echo comes back.
      await browserDecodes(page, { audio: 1 });
      await codecsAre(page, ["ulaw", "vp8"]);
      await dial(page, "159#");
      await noErrors(page);
    }) },
  { name: "H.264", query: "video=h264", browsers: ["chromium"],
    run: withPage(async (page, browser) => {
      await wholeCall(page, browser);
      await codecsAre(page, ["h264", "opus"]);
    }) },
  { name: "5 % of the datagrams are lost both ways", options: ["--loss", "5"],
    run: withPage(async (page) => {
      await connected(page);
      await rustReceives(page, { frames: 200 });
      await browserDecodes(page, { frames: 200 });
      await filmIsSeen(page);
      const repaired = (seen) => seen.receiving.some((track) => track.repaired > 0)
        && seen.sending.some((track) => track.repeated > 0);
      await until("both sides repair", () => figures(page), repaired);
      await dial(page, "159#");
    }) },
  { name: "the page hangs up", run: async ({ open, program }) => {
    const page = await open();
    await connected(page);
    await hangUp(page);
    await until("Rust ends the call", program.said, (text) => /call 1: over/.test(text));
  } },
  { name: "the page is loaded again", run: async ({ open, program, browser }) => {
    const page = await open();
    await connected(page);
    await page.reload();
    await until("Rust ends the first call", program.said, (text) => /call 1: over/.test(text));
    await wholeCall(page, browser);
  } },
  { name: "two pages in one room", query: "room=test", run: async ({ open }) => {
    const pages = [await open(), await open()];
    for (const page of pages) await connected(page);
    for (const page of pages) {
      await browserDecodes(page);
      const other = () => page.evaluate(() => document.querySelector("[id^='view-page']")?.videoWidth ?? 0);
      await until("each sees the other", other, (width) => width > 0);
    }
    await hangUp(pages[0]);
    await sleep(500);
    await noErrors(pages[1]);
  } },
];
