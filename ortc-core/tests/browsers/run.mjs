// Calls between real browsers and the browser example.
//
//   node run.mjs PROGRAM          one call in each browser
//   node run.mjs PROGRAM --all    every case
//   node run.mjs PROGRAM --only TEXT

import { isInstalled, launch } from "./browsers.mjs";
import { CASES } from "./cases.mjs";
import { start } from "./program.mjs";

const [binary, ...rest] = process.argv.slice(2);
const all = rest.includes("--all");
const only = rest[rest.indexOf("--only") + 1];
const wanted = rest.includes("--only")
  ? CASES.filter(({ name }) => name.includes(only))
  : CASES.filter(({ always }) => all || always);
const BROWSERS = (process.env.BROWSERS ?? "chromium,firefox").split(",");
const results = [];

async function attempt(name, browser, { options = [], query = "", needs, run }) {
  const program = await start(binary, options);
  const pages = [], launched = [];
  const openIn = async (where, address) => {
    const page = await where.newPage();
    pages.push(page);
    page.on("pageerror", (error) => console.log(`  the page throws: ${error.message}`));
    await page.goto(address);
    return page;
  };
  const open = ({ call = true } = {}) => openIn(browser, `${program.url}?${call ? "call&" : ""}${query}`);
  const openAt = (address) => openIn(browser, address);
  const openInOther = async (address) => {
    launched.push(await launch(needs));
    return openIn(launched.at(-1), address);
  };
  try {
    await run({ open, openAt, openInOther, program, browser: name });
  } catch (error) {
    console.log(program.said().replace(/^/gm, "    "));
    for (const page of pages) {
      const log = await page.evaluate(() => document.getElementById("log")?.innerText ?? "").catch(() => "");
      console.log(log.replace(/^/gm, "      page: "));
    }
    throw error;
  } finally {
    for (const page of pages) await page.close().catch(() => {});
    for (const other of launched) await other.close();
    program.stop();
  }
}

for (const name of BROWSERS) {
  if (!isInstalled(name)) {
    console.log(`skipped: ${name} is not installed`);
    continue;
  }
  const browser = await launch(name);
  for (const one of wanted) {
    if (one.browsers && !one.browsers.includes(name)) continue;
    if (one.needs && !isInstalled(one.needs)) continue;
    const began = Date.now();
    let outcome = "ok";
    try {
      await attempt(name, browser, one);
    } catch (error) {
      outcome = error.message;
    }
    const seconds = ((Date.now() - began) / 1000).toFixed(1);
    console.log(`${name.padEnd(9)} ${one.name.padEnd(42)} ${seconds.padStart(5)} s  ${outcome}`);
    results.push(outcome);
  }
  await browser.close();
}
process.exit(results.every((outcome) => outcome === "ok") ? 0 : 1);
