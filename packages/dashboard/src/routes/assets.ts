import { readFileSync } from "node:fs";
import type { FastifyInstance } from "fastify";

const ASSETS = {
  "live.js": "text/javascript; charset=utf-8",
  "style.css": "text/css; charset=utf-8",
  "icon.svg": "image/svg+xml",
} as const;

/** The few files that pages are made with; they lie beside the code, built or not. */
export function addAssets(app: FastifyInstance): void {
  for (const [name, type] of Object.entries(ASSETS)) {
    const body = readFileSync(new URL(`../../web/${name}`, import.meta.url));
    app.get(`/assets/${name}`, async (_request, reply) =>
      reply.type(type).header("cache-control", "private, max-age=60").send(body),
    );
  }
}
