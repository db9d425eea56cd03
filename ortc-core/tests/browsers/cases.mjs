// The calls. Each says with which options the program runs, what the page is asked for, and what
// must be true. `browsers` leaves out a browser that cannot, and says why.

import {
  browserDecodes, connected, dial, figures, filmIsSeen, hangUp, iceRole, inbound, noErrors, nothingIsDropped, pace,
  rustDials, rustReceives, sleep, state, tonesArePlayed, until,
} from "./checks.mjs";
import { membersOf, MEMBERS } from "./members.mjs";
import { recordingsDecode } from "./recordings.mjs";
import { serve } from "./server.mjs";

async function wholeCall(page, browser) {
  await connected(page);
  await rustReceives(page);
  await browserDecodes(page);
  await filmIsSeen(page);
  await dial(page, "159#");
  await rustDials(page, "159#");
  await noErrors(page);
  await nothingIsDropped(page);
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

/** Both ways, in the clock that was asked for. */
const tones = (rates) => async (page) => {
  await connected(page);
  await rustReceives(page);
  const listed = await page.evaluate(() => globalThis.ortc.connection.tracks({ kind: "audio" })[0].codecs
    .filter(({ name }) => name === "dtmf").map(({ clockRate }) => clockRate));
  if (listed.join() !== rates.join()) throw new Error(`tones are listed at ${listed}`);
  await dial(page, "159#");
  await rustDials(page, "159#");
  await noErrors(page);
};

/** A page with the code of section 9.1, and what it has to show after a while. */
const theExampleRuns = async (page) => {
  const enough = (tracks) => tracks.some(({ kind, frames }) => kind === "video" && frames >= 60)
    && tracks.some(({ kind, samples }) => kind === "audio" && samples >= 48_000);
  await until("the example decodes what it receives", () => inbound(page), enough, 25);
  const shown = () => page.evaluate(() => [...document.querySelectorAll("video")].map(({ videoWidth }) => videoWidth));
  await until("both views show something", shown, (widths) => widths.every((width) => width > 0));
  const { state, logged } = await page.evaluate(() => ({
    state: globalThis.seen.conn.peerConnection.connectionState,
    logged: globalThis.seen.logged,
  }));
  if (state !== "connected" || logged.length > 0) throw new Error(`the example is ${state}: ${logged}`);
};

/** Each page decodes the film and what the other sends; the first leaves, and the second goes on. */
async function seeEachOther(pages) {
  for (const page of pages) await connected(page);
  const shown = () => document.querySelector("[id^='view-page']")?.videoWidth ?? 0;
  for (const page of pages) {
    await browserDecodes(page);
    await until("each sees the other", () => page.evaluate(shown), (width) => width > 0);
    await noErrors(page);
  }
  await hangUp(pages[0]);
  await until("the other is gone", () => pages[1].evaluate(shown), (width) => width === 0);
  await noErrors(pages[1]);
}

const EXAMPLE = "/pages/section-9-1.html";

const withPage = (run) => async ({ open, browser }) => run(await open(), browser);

export const CASES = [
  {
    name: "audio, video and tones",
    always: true,
    run: async ({ open, program, browser }) => {
      const page = await open();
      await wholeCall(page, browser);
      await codecsAre(page, ["opus", "vp8"]);
      await hangUp(page);
      await recordingsDecode(program, ["opus", "ivf"]);
    },
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
  { name: "nobody was told a DTLS role", run: async ({ open, browser }) => {
    // Which side is the client is by chance: both come to it in most runs of this many.
    for (let call = 0; call < 5; call += 1) {
      const page = await open();
      await connected(page);
      await rustReceives(page, { frames: 20 });
      await nothingIsDropped(page);
      await hangUp(page);
    }
  } },
  { name: "the page is ICE-controlling", options: ["--ice", "controlled"], run: withPage(async (page, browser) => {
    await wholeCall(page, browser);
    const role = await iceRole(page);
    if (role !== "controlled") throw new Error(`Rust is ${role}`);
  }) },
  { name: "the page is ICE-controlled", options: ["--ice", "controlling"], run: async ({ open, browser }) => {
    // Both begin as the controlling side, and dice decide.
    for (let call = 0; call < 12; call += 1) {
      const page = await open();
      await connected(page);
      if (await iceRole(page) === "controlling") return wholeCall(page, browser);
      await hangUp(page);
    }
    throw new Error("the page was never controlled");
  } },
  { name: "both begin as ICE-controlling", options: ["--ice", "controlling"], run: withPage(async (page, browser) => {
    await wholeCall(page, browser);
    await iceRole(page);
  }) },
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
  ...["client", "server"].map((role) => (
    { name: `X25519MLKEM768, Rust is the ${role}`, options: ["--post-quantum", "--dtls", role],
      run: withPage(async (page, browser) => {
        await wholeCall(page, browser);
        await dtlsIs(page, { version: "DTLS 1.3", group: "X25519MLKEM768" });
      }) })),
  { name: "Rust is ICE lite", options: ["--ice", "lite"], run: withPage(async (page, browser) => {
    await wholeCall(page, browser);
    const role = await iceRole(page);
    if (role !== "controlled") throw new Error(`a lite agent is ${role}`);
  }) },
  { name: "G.711 mu-law and no other sound", query: "audio=ulaw&only",
    run: withPage(async (page, browser) => {
      await wholeCall(page, browser);
      await codecsAre(page, ["ulaw", "vp8"]);
    }) },
  { name: "G.711 A-law and no other sound", query: "audio=alaw&only",
    run: withPage(async (page, browser) => {
      await wholeCall(page, browser);
      await codecsAre(page, ["alaw", "vp8"]);
    }) },
  { name: "tones at 8000 beside G.711", query: "audio=ulaw&only&dtmf=8000", run: withPage(tones([8_000])) },
  { name: "tones at 8000 beside Opus", query: "dtmf=8000", run: withPage(tones([8_000])) },
  // Firefox knows telephone-event at 8000 only.
  { name: "tones at 48000 beside Opus", query: "dtmf=48000", browsers: ["chromium"], run: withPage(tones([48_000])) },
  // In Firefox without a sound card a page has no AudioContext to listen with.
  { name: "the browser plays the tones of Rust", browsers: ["chromium"], run: withPage(async (page) => {
    await connected(page);
    await browserDecodes(page);
    await tonesArePlayed(page, "159#");
  }) },
  { name: "the browser plays them beside G.711", query: "audio=ulaw&only", browsers: ["chromium"],
    run: withPage(async (page) => {
      await connected(page);
      await browserDecodes(page);
      await tonesArePlayed(page, "159#");
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
      // Asked for by NACK and sent again by RTX (RFC 4588), on both sides.
      const repaired = (seen) => seen.receiving.some((track) => track.nacks > 0 && track.byRtx > 0)
        && seen.sending.some((track) => track.rtx > 0);
      await until("both sides repair", () => figures(page), repaired);
      // Firefox counts what it asks for and not what comes.
      const taken = (tracks) => tracks.some(({ nacks, repaired }) => nacks > 0 && repaired !== 0);
      await until("the browser takes what comes again", () => inbound(page), taken);
      await dial(page, "159#");
      await rustDials(page, "159#");
      await noErrors(page);
    }) },
  { name: "the page hangs up", run: async ({ open, program }) => {
    const page = await open();
    await connected(page);
    await hangUp(page);
    await until("Rust ends the call", program.said, (text) => /call 1: over/.test(text));
  } },
  { name: "the page hangs up, and nobody signals it", run: async ({ open, program }) => {
    const page = await open();
    await connected(page);
    await page.evaluate(() => globalThis.ortc.connection.close());
    await until("Rust ends the call", program.said, (text) => /closed by the peer\s+call 1: over/.test(text));
  } },
  { name: "the page is loaded again", run: async ({ open, program, browser }) => {
    const page = await open();
    await connected(page);
    await page.reload();
    await until("Rust ends the first call", program.said, (text) => /call 1: over/.test(text));
    await wholeCall(page, browser);
  } },
  { name: "two pages in one room", query: "room=test",
    run: async ({ open }) => seeEachOther([await open(), await open()]) },
  // Their payload types and header extensions have other numbers.
  { name: "Chromium and Firefox in one room", query: "room=test", browsers: ["chromium"], needs: "firefox",
    run: async ({ open, openInOther, program }) =>
      seeEachOther([await open(), await openInOther(`${program.url}?call&room=test`)]) },
  { name: "Rust hangs up", run: async ({ open, program }) => {
    const page = await open();
    await connected(page);
    await browserDecodes(page);
    await page.evaluate(() => document.getElementById("end").click());
    await until("the page knows it", () => state(page), (text) => text === "Not connected");
    const words = await page.evaluate(() => document.getElementById("words").textContent);
    if (words !== "Rust has hung up.") throw new Error(`the page says: ${words}`);
    await until("Rust ends the call", program.said, (text) => /call 1: over/.test(text));
    await noErrors(page);
  } },
  { name: "Rust hangs up, and nobody signals it", run: async ({ open }) => {
    const page = await open();
    await connected(page);
    await browserDecodes(page);
    await page.evaluate(() => {
      const { channel } = globalThis.ortc;
      channel.onmessage = () => {};
      channel.send(JSON.stringify({ hangUp: true }));
    });
    // By close_notify alone; the media ends with it.
    const events = () => page.evaluate(() => globalThis.ortc.events);
    await until("ondisconnected is called", events, (seen) => seen.at(-1) === "disconnected", 20);
    const packets = async () => (await inbound(page)).reduce((sum, track) => sum + track.packets, 0);
    const before = await packets();
    await sleep(1_000);
    if (await packets() !== before) throw new Error("media goes on");
    await noErrors(page);
  } },
  { name: "a track stops and the others go on", run: withPage(async (page) => {
    await connected(page);
    await rustReceives(page);
    const click = (id) => page.evaluate((name) => document.getElementById(name).click(), id);
    const ssrcs = await page.evaluate(() => globalThis.ortc.connection.tracks().map(({ kind, ssrc }) => [kind, ssrc]));
    const { audio, video } = Object.fromEntries(ssrcs);
    const goes = async (wanted) => {
      const paces = await pace(page);
      for (const [ssrc, goes] of wanted) {
        const frames = paces.get(ssrc) ?? 0;
        if (goes !== frames > 10) throw new Error(`${ssrc === audio ? "sound" : "picture"}: ${frames} frames`);
      }
    };
    await click("cam");
    await sleep(1_500);
    await goes([[audio, true], [video, false]]);
    await click("cam");
    await click("mic");
    await sleep(1_500);
    await goes([[audio, false], [video, true]]);
    await click("mic");
    await sleep(1_500);
    await goes([[audio, true], [video, true]]);
    await page.evaluate(() => globalThis.ortc.connection.tracks({ kind: "video" })[0].remove());
    await sleep(1_500);
    await goes([[audio, true], [video, false]]);
    // The echo of the picture has gone with it, sooner or later.
    await browserDecodes(page, { video: 1 });
    await noErrors(page);
  }) },
  // Rust hears nothing of the page's DTLS role, so that it says its own.
  { name: "descriptions of the draft and no more", query: "plain", options: ["--trust-first", "--dtls", "server"],
    run: withPage(wholeCall) },
  { name: "media overtakes its description", query: "late=1500", run: async ({ open, program, browser }) => {
    const page = await open();
    await wholeCall(page, browser);
    // Before anything was described the packets named the page's section (RFC 9143 §15).
    const unknown = [...program.said().matchAll(/nobody described \d+: (\{.*\})/g)].map(([, json]) => JSON.parse(json));
    const sections = await page.evaluate(() => globalThis.ortc.connection.peerConnection.getTransceivers()
      .map(({ mid }) => mid));
    // Which id is the MID's only the description says, and that it is text: before, it is octets.
    const text = (value) => sections.find((mid) => value === mid || value === Buffer.from(mid).toString("hex"));
    const named = new Set(unknown.map((headers) => Object.values(headers).map(text).find(Boolean)));
    if (named.size !== 2 || named.has(undefined)) throw new Error(`no MIDs in ${JSON.stringify(unknown)}`);
  } },
  { name: "a page that finds no place disturbs nobody", options: ["--calls", "1"], run: async ({ open }) => {
    const first = await open();
    await connected(first);
    const second = await open();
    const words = () => second.evaluate(() => document.getElementById("words").textContent);
    await until("the second is told", words, (text) => /all places are taken/.test(text));
    if (await state(second) !== "Not connected") throw new Error("the second goes on");
    await rustReceives(first, { frames: 100 });
    await noErrors(first);
    await hangUp(first);
    await sleep(500);
    const third = await open();
    await connected(third);
  } },
  { name: "no camera and no microphone", run: async ({ open }) => {
    for (const [error, words] of [["NotAllowedError", /does not let this page use/], ["NotFoundError", /No camera or microphone/]]) {
      const page = await open({ call: false });
      await page.evaluate((name) => {
        navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("refused", name));
        document.getElementById("start").click();
      }, error);
      await until("the page says so", () => page.evaluate(() => document.getElementById("words").textContent), (text) => words.test(text));
      if (await state(page) !== "Not connected") throw new Error("the page goes on");
    }
  } },
  { name: "the server goes away", run: async ({ open, program }) => {
    const page = await open();
    await connected(page);
    program.stop();
    const words = () => page.evaluate(() => document.getElementById("words").textContent);
    await until("the page says so", words, (text) => /connection to the server is lost/.test(text));
    await hangUp(page);
    await page.evaluate(() => document.getElementById("start").click());
    await until("and that nobody answers", words, (text) => /does not answer/.test(text));
  } },
  { name: "every member of the draft is there", run: withPage(async (page) => {
    await connected(page);
    await browserDecodes(page);
    const missing = await page.evaluate(membersOf, MEMBERS);
    if (missing.length > 0) throw new Error(`missing: ${missing.join(", ")}`);
  }) },
  { name: "section 9.1 to the letter, with Rust", run: async ({ openAt, program }) => {
    const server = await serve(program);
    try {
      const page = await openAt(server.page(EXAMPLE, program.url.replace("http", "ws") + "signalling"));
      await theExampleRuns(page);
      if (!/call 1: connected/.test(program.said())) throw new Error("Rust is not connected");
    } finally {
      server.stop();
    }
  } },
  { name: "section 9.1 to the letter, with itself", run: async ({ openAt, program }) => {
    const server = await serve(program);
    try {
      const pages = [await openAt(server.page(EXAMPLE)), await openAt(server.page(EXAMPLE))];
      await pages[0].evaluate(() => globalThis.start());
      for (const page of pages) await theExampleRuns(page);
    } finally {
      server.stop();
    }
  } },
  { name: "section 9.1 to the letter, Chromium and Firefox", browsers: ["chromium"], needs: "firefox",
    run: async ({ openAt, openInOther, program }) => {
      const server = await serve(program);
      try {
        const pages = [await openAt(server.page(EXAMPLE)), await openInOther(server.page(EXAMPLE))];
        await pages[0].evaluate(() => globalThis.start());
        for (const page of pages) await theExampleRuns(page);
      } finally {
        server.stop();
      }
    } },
];
