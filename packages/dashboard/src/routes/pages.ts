import { type NatsClient, type QuarantinePlace, QuarantineStore } from "@cim-replay/nats";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { type Details, partOf } from "../details.ts";
import { certificateView } from "../certificate-view.ts";
import { Refusal } from "../guard.ts";
import type { LivePages } from "../live.ts";
import { auditPage } from "../pages/audit-page.ts";
import { certificatePage } from "../pages/certificate-page.ts";
import { quarantinePage } from "../pages/quarantine-page.ts";
import { runPage } from "../pages/run-page.ts";
import { runsPage } from "../pages/runs-page.ts";
import type { RunBoard } from "../run-board.ts";
import { show } from "./show.ts";

/** Whoever opens the audit log has often just done something. */
const FRESH_MS = 200;

const word = z
  .string()
  .trim()
  .transform((text) => text || null)
  .nullable()
  .catch(null);
const runsQuery = z.object({
  domain: word.default(null),
  state: word.default(null),
  page: z.coerce.number().int().positive().catch(1),
});
const auditQuery = z.object({ domain: z.string().trim().catch("") });
const runParams = z.object({ run: z.string() });
const eventParams = z.object({ run: z.string(), seq: z.coerce.number().int().positive() });
/** Which of a run's targets kept it. */
const eventQuery = z.object({ target: z.string().optional() });

export interface Sources {
  readonly client: NatsClient;
  readonly board: RunBoard;
  readonly details: Details;
  readonly live: LivePages;
}

/** What can be looked at. */
export function addPages(app: FastifyInstance, { client, board, details, live }: Sources): void {
  show(app, live, "/", async (request) =>
    runsPage(board.list(), runsQuery.parse(request.query), { trouble: board.trouble, nowMs: Date.now() }),
  );

  show(app, live, "/runs/:run", async (request, viewer) => {
    const run = await board.open(runParams.parse(request.params).run);
    if (run === null) return null;
    const [certificate, quarantined, audit] = await Promise.all([
      partOf(details.certificate(run.run.id)),
      partOf(details.quarantined(run)),
      partOf(details.auditOf(run)),
    ]);
    const trouble = board.trouble ?? run.trouble;
    return runPage(run, { certificate, quarantined, audit, nowMs: Date.now(), trouble }, viewer);
  });

  show(app, live, "/runs/:run/certificate", async (request) => {
    const { run } = runParams.parse(request.params);
    const certificate = certificateView(await details.rawCertificate(run));
    return certificate && certificatePage(run, certificate);
  });

  app.get("/runs/:run/certificate.json", async (request, reply) => {
    const { run } = runParams.parse(request.params);
    const certificate = await details.rawCertificate(run);
    if (certificate === null) throw new Refusal(404, "Cannot find that: this run has no certificate.");
    const name = `certificate-${run.replace(/[^-\w]/g, "_")}.json`;
    return reply.header("content-disposition", `attachment; filename="${name}"`).send(certificate);
  });

  show(app, live, "/runs/:run/quarantine/:seq", async (request) => {
    const params = eventParams.safeParse(request.params).data;
    if (!params) return null;
    const store = await QuarantineStore.open(client, { create: false });
    const { target } = eventQuery.parse(request.query);
    const isAskedFor = (place: QuarantinePlace) =>
      place.seq === params.seq && (target === undefined || place.target === target);
    const places = ((await store?.places(params.run)) ?? []).filter(isAskedFor);
    for await (const event of store?.read(places) ?? []) return quarantinePage(event);
    return null;
  });

  show(app, live, "/audit", async (request) => {
    const query = auditQuery.parse(request.query);
    const { records, total } = await details.audit(query.domain || undefined, FRESH_MS);
    return auditPage(records, total, query);
  });
}
