import { createServer } from "node:net";

// Below every system's range for outgoing connections (Linux starts at 32768): a client that keeps trying to reach a
// killed server would otherwise be given the server's port as its own, and then no restart gets it back.
const FIRST_PORT = 15_000;
const LAST_PORT = 30_000;

/** A loopback port that nobody listens on at the moment. Somebody may be faster: be ready to ask again. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
    if (await isPortFree(port)) return port;
  }
}

export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
