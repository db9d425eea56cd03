// What has to work. A case gets the program, and a page of the publishing and of the playing browser.

import { readFileSync } from "node:fs";

import { sleep, until } from "../browsers/checks.mjs";

const publish = (page, url, options = {}) => page.evaluate(([url, options]) => globalThis.publish(url, options), [url, options]);
const play = (page, url, options = {}) => page.evaluate(([url, options]) => globalThis.play(url, options), [url, options]);
const received = (page) => page.evaluate(() => globalThis.received());
const end = (page) => page.evaluate(() => globalThis.session.end());

/** So many more pictures and so much more sound are decoded, and the picture is one. */
export async function decodes(page, { frames = 60, samples = 48_000 } = {}) {
  const before = await received(page);
  const enough = (seen) => seen.frames >= before.frames + frames && seen.samples >= before.samples + samples
    && seen.width > 0 && seen.lit > 0;
  return until("the player decodes", () => received(page), enough, 25);
}

/** The status with which a session is refused. */
async function refused(attempt) {
  try {
    await attempt;
  } catch (error) {
    return Number(/(\d{3}): /.exec(error.message)?.[1]);
  }
  throw new Error("nothing is refused");
}

function is(what, seen, wanted) {
  if (seen !== wanted) throw new Error(`${what} is ${seen} and not ${wanted}`);
}

export const CASES = [
  {
    name: "one publishes, another plays",
    run: async ({ program, publisher, player }) => {
      await publish(publisher, program.whip("a"));
      await play(player, program.whep("a"));
      await decodes(player);
      is("the end of the player", await end(player), 200);
      is("the end of the publisher", await end(publisher), 200);
    },
  },
  {
    name: "candidates trickle",
    run: async ({ program, publisher, player }) => {
      await publish(publisher, program.whip("a"), { trickle: true });
      await play(player, program.whep("a"), { trickle: true });
      await decodes(player);
    },
  },
  {
    name: "ICE begins anew on both sides",
    run: async ({ program, publisher, player }) => {
      await publish(publisher, program.whip("a"));
      await play(player, program.whep("a"));
      await decodes(player);
      for (const page of [publisher, player]) {
        await page.evaluate(() => globalThis.session.restart());
        await sleep(1_000);
        await decodes(player);
      }
    },
  },
  {
    name: "the offer names no SSRC",
    run: async ({ program, publisher, player }) => {
      await publish(publisher, program.whip("a"), { nameless: true });
      await play(player, program.whep("a"));
      await decodes(player);
    },
  },
  {
    name: "another publisher takes over",
    run: async ({ program, publisher, player, another }) => {
      await publish(publisher, program.whip("a"));
      await play(player, program.whep("a"));
      await decodes(player);
      await end(publisher);
      await publish(await another(), program.whip("a"));
      await decodes(player);
    },
  },
  {
    name: "H.264", browsers: ["chromium"], options: ["--video", "h264"],
    run: async ({ program, publisher, player }) => {
      await publish(publisher, program.whip("a"));
      await play(player, program.whep("a"));
      await decodes(player);
      if (!/sends H264/.test(program.said())) throw new Error("another codec is sent");
    },
  },
  {
    name: "VP9, which nobody here can take apart", options: ["--video", "vp9"],
    run: async ({ program, publisher, player }) => {
      await publish(publisher, program.whip("a"));
      await play(player, program.whep("a"));
      await decodes(player);
    },
  },
  {
    name: "a full agent and a token", options: ["--ice", "full", "--token", "secret"],
    run: async ({ program, publisher, player }) => {
      is("the answer without", await refused(publish(publisher, program.whip("a"))), 401);
      await publish(publisher, program.whip("a"), { token: "secret" });
      is("the answer to a player without", await refused(play(player, program.whep("a"))), 401);
      await play(player, program.whep("a"), { token: "secret" });
      await decodes(player);
    },
  },
  {
    name: "what cannot be is refused",
    run: async ({ program, publisher, player }) => {
      is("the answer where nobody publishes", await refused(play(player, program.whep("a"))), 409);
      await publish(publisher, program.whip("a"));
      is("the answer to a second publisher", await refused(publish(player, program.whip("a"))), 409);
      is("the first end", await end(publisher), 200);
      is("the second end", await end(publisher), 404);
    },
  },
  {
    name: "who never connects makes room", browsers: ["chromium"],
    run: async ({ program, publisher, player }) => {
      // Its candidates are of another network.
      const body = readFileSync(new URL("offers/chromium.sdp", import.meta.url), "utf8").replaceAll("a=sendrecv", "a=sendonly");
      const headers = { "content-type": "application/sdp" };
      const answer = await fetch(program.whip("a"), { method: "POST", headers, body });
      is("the answer to one who will not connect", answer.status, 201);
      is("the answer to a second publisher", await refused(publish(publisher, program.whip("a"))), 409);
      await until("the first gives up", () => program.said(), (text) => text.includes("has not connected within 30 s"), 40);
      await publish(publisher, program.whip("a"));
      await play(player, program.whep("a"));
      await decodes(player);
    },
  },
];
