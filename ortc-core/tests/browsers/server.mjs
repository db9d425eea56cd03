// A server for pages that are not the example's: files of this folder, the scripts of the program
// under test, and a relay for the signalling of two pages.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";
import { WebSocketServer } from "ws";

const TYPES = { ".html": "text/html", ".js": "text/javascript" };

export async function serve(program) {
  const server = createServer(async ({ url }, response) => {
    const { pathname } = new URL(url, "http://localhost");
    const own = pathname.startsWith("/pages/");
    const body = own
      ? await readFile(new URL(`.${pathname}`, import.meta.url)).catch(() => null)
      : await fetch(new URL(pathname, program.url)).then((found) => (found.ok ? found.text() : null));
    response.writeHead(body === null ? 404 : 200, { "Content-Type": TYPES[extname(pathname)] ?? "text/plain" });
    response.end(body ?? "");
  });
  // What one says the others hear, in order; who comes late hears what was said before.
  const relay = new WebSocketServer({ server });
  const said = [];
  relay.on("connection", (socket) => {
    said.forEach(({ text }) => socket.send(text));
    socket.on("message", (data) => {
      const text = String(data);
      said.push({ text });
      for (const other of relay.clients) if (other !== socket) other.send(text);
    });
  });
  await new Promise((done) => server.listen(0, "localhost", done));
  const { port } = server.address();
  return {
    page: (path, signalling) => `http://localhost:${port}${path}?signalling=${encodeURIComponent(signalling ?? `ws://localhost:${port}/`)}`,
    stop: () => {
      relay.clients.forEach((socket) => socket.terminate());
      server.close();
    },
  };
}
