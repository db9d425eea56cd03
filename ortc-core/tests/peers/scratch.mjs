// Where peers are installed: a folder for what npm and pip bring, and the machine for Debian's packages.

import { execFile } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const HERE = dirname(fileURLToPath(import.meta.url));
const POLICY = "/usr/sbin/policy-rc.d";
const execute = promisify(execFile);

async function run(command, words, options) {
  try {
    return (await execute(command, words, { maxBuffer: 1 << 26, ...options })).stdout;
  } catch (error) {
    const lines = `${error.stderr ?? ""}`.trim().split("\n");
    throw new Error(`${command} ${words[0]}: ${lines.at(-1) || error.message}`);
  }
}

export class Scratch {
  #folder;

  constructor(folder) {
    this.#folder = folder;
  }

  #place(name) {
    const place = join(this.#folder, name);
    mkdirSync(place, { recursive: true });
    for (const file of readdirSync(HERE)) copyFileSync(join(HERE, file), join(place, file));
    return place;
  }

  /** A program of the package of the same name. */
  async program(name) {
    await run(name, ["-version"]).catch(() => this.#apt([name]));
  }

  /** Packages of npm, beside a copy of the scripts here, which so finds them. */
  async npm(name, packages) {
    const cwd = this.#place(name);
    writeFileSync(join(cwd, "package.json"), '{ "private": true, "type": "module" }\n');
    await run("npm", ["install", "--no-audit", "--no-fund", ...packages], { cwd });
    const [first] = packages;
    const { version } = JSON.parse(readFileSync(join(cwd, "node_modules", first, "package.json"), "utf8"));
    return { cwd, version: `${first} ${version}`, load: createRequire(join(cwd, "package.json")) };
  }

  /** Packages of PyPI, in an environment of their own. */
  async pip(name, packages) {
    const cwd = this.#place(name);
    const make = () => run("python3", ["-m", "venv", "environment"], { cwd });
    // Debian's Python comes without the module.
    await make().catch(() => this.#apt(["python3-venv"]).then(make));
    const python = join(cwd, "environment", "bin", "python");
    await run(python, ["-m", "pip", "install", "--quiet", ...packages], { cwd });
    const [first] = packages;
    const shown = await run(python, ["-m", "pip", "show", first], { cwd });
    return { cwd, python, version: `${first} ${/^Version: (.*)$/m.exec(shown)[1]}` };
  }

  /** Packages of Debian. No package may start a server by itself. */
  async debian(name, packages) {
    const cwd = this.#place(name);
    const [first] = packages;
    const installed = (each) => run("dpkg-query", ["-W", "-f", "${db:Status-Status} ${Version}", each])
      .then((text) => text.startsWith("installed ") && text.split(" ")[1], () => false);
    const missing = [];
    for (const each of packages) if (!await installed(each)) missing.push(each);
    if (missing.length > 0) await this.#apt(missing);
    return { cwd, version: `${first} ${await installed(first)}` };
  }

  async #apt(packages) {
    const made = !existsSync(POLICY);
    if (made) writeFileSync(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    try {
      await run("apt-get", ["update", "-q"], { env });
      await run("apt-get", ["install", "-q", "-y", "--no-install-recommends", ...packages], { env });
    } finally {
      if (made) rmSync(POLICY);
    }
  }
}
