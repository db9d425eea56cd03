// How each browser is found and started, headless, with fake devices.

import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const CHROMIUM = [
  "--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
  "--allow-loopback-in-peer-connection", "--disable-features=WebRtcHideLocalIpsWithMdns",
  "--autoplay-policy=no-user-gesture-required", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];
const FIREFOX = {
  "media.navigator.streams.fake": true,
  "media.navigator.permission.disabled": true,
  "media.peerconnection.ice.loopback": true,
  "media.peerconnection.ice.obfuscate_host_addresses": false,
  "media.autoplay.default": 0,
};
// What limits the browser to one version of DTLS, so that a case says which it was.
const FIREFOX_DTLS = "media.peerconnection.dtls.version.max";

const first = (paths) => paths.find((path) => existsSync(path));
const PATHS = {
  chromium: ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"],
  firefox: ["/usr/bin/firefox-esr", "/usr/bin/firefox"],
};

export const isInstalled = (name) => first(PATHS[name]) !== undefined;

/** Starts a browser: `newPage()`, `close()`. */
export async function launch(name) {
  const executablePath = first(PATHS[name]);
  if (name === "chromium") {
    const { chromium } = await import("playwright-core");
    return chromium.launch({ executablePath, args: CHROMIUM });
  }
  const { default: puppeteer } = await import("puppeteer-core");
  const home = mkdtempSync(join(tmpdir(), "firefox-"));
  return puppeteer.launch({
    browser: "firefox",
    executablePath,
    headless: true,
    env: { ...process.env, HOME: home },
    extraPrefsFirefox: FIREFOX,
  });
}

export { FIREFOX_DTLS };
