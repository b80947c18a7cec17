import type { FastifyInstance, FastifyRequest } from "fastify";
import { viewerOfRequest, Refusal } from "../guard.ts";
import type { LivePages } from "../live.ts";
import { documentOf, type Page, type Viewer } from "../pages/page.ts";

/** Null: there is no such page. */
export type PageBuilder = (request: FastifyRequest, viewer: Viewer) => Promise<Page | null>;

/** Serves a page under `path`; to those who ask for a stream of events, what changes of it. */
export function show(app: FastifyInstance, live: LivePages, path: string, build: PageBuilder): void {
  app.get(path, async (request, reply) => {
    const viewer = viewerOfRequest(request);
    const page = await build(request, viewer);
    if (page === null) throw new Refusal(404, "Cannot find that: there is no such page.");
    reply.header("vary", "accept");
    if (page.isLive && request.headers.accept === "text/event-stream") {
      live.follow(request, reply, () => build(request, viewer));
      return reply;
    }
    return reply.type("text/html; charset=utf-8").send(documentOf(page, viewer, pathOf(request)).text);
  });
}

export function pathOf({ url }: FastifyRequest): string {
  return url.split("?")[0] ?? url;
}
