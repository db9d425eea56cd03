// Publishing and playing through the WHIP example, with browsers and whatever else is installed.
//
//   node run.mjs PROGRAM          what every machine with a browser can do
//   node run.mjs PROGRAM --all    every browser with every other, and every client
//   node run.mjs PROGRAM --only TEXT

import { readFileSync } from "node:fs";
import { isInstalled, launch } from "../browsers/browsers.mjs";
import { CASES } from "./cases.mjs";
import { CLIENTS } from "./clients.mjs";
import { start } from "./program.mjs";

const [binary, ...rest] = process.argv.slice(2);
const all = rest.includes("--all");
const only = rest.includes("--only") ? rest[rest.indexOf("--only") + 1] : "";
const script = readFileSync(new URL("page.js", import.meta.url), "utf8");
const browsers = new Map();
const outcomes = [];

async function open(program, name, pages) {
  const page = await browsers.get(name).newPage();
  pages.push(page);
  page.on("pageerror", (error) => console.log(`  the page throws: ${error.message}`));
  await page.goto(program.url);
  await page.evaluate(script);
  return page;
}

async function attempt(name, { options = [], run }, from, to) {
  const program = await start(binary, options);
  const pages = [];
  const began = Date.now();
  let outcome = "ok";
  try {
    const page = (browser) => (browser ? open(program, browser, pages) : undefined);
    const parts = { publisher: await page(from), player: await page(to), another: () => page(from ?? to) };
    outcome = await run({ program, ...parts }) ?? "ok";
  } catch (error) {
    outcome = error.message;
    console.log(program.said().replace(/^/gm, "    "));
  } finally {
    for (const page of pages) await page.close().catch(() => {});
    program.stop();
  }
  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  console.log(`${name.padEnd(62)} ${seconds.padStart(5)} s  ${outcome}`);
  outcomes.push(outcome);
}

for (const name of (process.env.BROWSERS ?? "chromium,firefox").split(",")) {
  if (isInstalled(name)) browsers.set(name, await launch(name));
  else console.log(`skipped: ${name} is not installed`);
}
const names = [...browsers.keys()];
for (const [index, one] of CASES.entries()) {
  if (!one.name.includes(only)) continue;
  const able = names.filter((name) => !one.browsers || one.browsers.includes(name));
  const pairs = able.flatMap((from) => able.map((to) => [from, to]));
  // Every pair once at least, over all the cases.
  const wanted = all || index === 0 ? pairs : pairs.slice(0, 1);
  for (const [from, to] of wanted) await attempt(`${one.name}: ${from} to ${to}`, one, from, to);
}
for (const client of CLIENTS) {
  if (!client.name.includes(only) || !all) continue;
  const missing = names.length === 0 ? "there is no browser to see the picture" : await client.missing();
  if (missing) console.log(`skipped: ${client.name}: ${missing}`);
  else for (const one of client.cases) await attempt(`${client.name}: ${one.name}`, one, names[0], names[0]);
}
for (const browser of browsers.values()) await browser.close();
process.exit(outcomes.every((outcome) => outcome.startsWith("ok")) ? 0 : 1);
