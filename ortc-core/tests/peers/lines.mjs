// What a peer and the test say to each other: one JSON object a line.

import { createInterface } from "node:readline";

export const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

/** Calls the member of `does` that a line names, with its value. The end of the test is our end. */
export function obey(does) {
  const lines = createInterface({ input: process.stdin });
  lines.on("line", async (line) => {
    for (const [name, value] of Object.entries(JSON.parse(line))) {
      await does[name]?.(value);
    }
  });
  lines.on("close", () => process.exit(0));
}

process.on("uncaughtException", (error) => {
  say({ error: error.stack ?? String(error) });
  process.exit(1);
});
