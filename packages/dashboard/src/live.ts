import type { FastifyReply, FastifyRequest } from "fastify";
import { errorMessage, type Log } from "@cim-replay/core";
import type { Page } from "./pages/page.ts";

const EVERY_MS = 1_000;
/** What keeps proxies from closing a connection on which nothing happens. */
const SIGN_OF_LIFE_MS = 15_000;
const MOST_VIEWERS = 100;

/** Pages that are being followed: each second the parts that have changed are sent again. */
export class LivePages {
  readonly #log: Log;
  readonly #ends = new Set<() => void>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Takes the reply over, until the browser leaves or the dashboard closes. */
  follow(request: FastifyRequest, reply: FastifyReply, build: () => Promise<Page | null>): void {
    if (this.#ends.size >= MOST_VIEWERS) {
      void reply
        .code(503)
        .header("retry-after", "30")
        .send("Too many pages are followed already. Load it again later.");
      return;
    }
    reply.hijack();
    const { raw } = reply;
    // Who left while the page was made will not be heard leaving.
    if (raw.destroyed || request.method === "HEAD") {
      raw.end();
      return;
    }
    raw.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
      "x-content-type-options": "nosniff",
    });
    raw.write("retry: 2000\n\n");
    const sent = new Map<string, string>();
    let quietMs = 0;
    let isBusy = false;
    const tick = async () => {
      // A browser that does not keep up is sent the latest when it has caught up, not all that was.
      if (isBusy || raw.writableNeedDrain) return;
      isBusy = true;
      try {
        const changed = changesOf((await build())?.fragments ?? [], sent);
        quietMs = changed === "" ? quietMs + EVERY_MS : 0;
        if (changed !== "" && raw.writable) raw.write(changed);
        if (quietMs >= SIGN_OF_LIFE_MS && raw.writable) {
          raw.write(": still here\n\n");
          quietMs = 0;
        }
      } catch (error) {
        // The page says by itself what troubles it, once it can be built again.
        this.#log.warn({ url: request.url }, `Cannot send news of a page: ${errorMessage(error)}`);
      } finally {
        isBusy = false;
      }
    };
    const timer = setInterval(() => void tick(), EVERY_MS);
    const end = () => {
      clearInterval(timer);
      this.#ends.delete(end);
      raw.end();
    };
    this.#ends.add(end);
    raw.once("close", end);
    void tick();
  }

  close(): void {
    for (const end of this.#ends) end();
  }
}

function changesOf(fragments: Page["fragments"], sent: Map<string, string>): string {
  let changed = "";
  for (const { id, body } of fragments) {
    if (sent.get(id) === body.text) continue;
    sent.set(id, body.text);
    changed += `event: fragment\ndata: ${JSON.stringify({ id, html: body.text })}\n\n`;
  }
  return changed;
}
