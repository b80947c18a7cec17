import { errorMessage, type Log, ReplayError, UnreachableError, UsageError } from "@cim-replay/core";
import type { NatsClient } from "@cim-replay/nats";
import { openQueueForInspection, type QueueOptions } from "@cim-replay/queue";
import Fastify, { type FastifyInstance } from "fastify";
import { type Access, isLoopback } from "./access.ts";
import { Details } from "./details.ts";
import { guard, Refusal } from "./guard.ts";
import { html } from "./html.ts";
import { LivePages } from "./live.ts";
import { documentOf, plainPage } from "./pages/page.ts";
import type { DashboardPorts } from "./ports.ts";
import { addActions } from "./routes/actions.ts";
import { addAssets } from "./routes/assets.ts";
import { addPages } from "./routes/pages.ts";
import { addQueues } from "./routes/queues.ts";
import { pathOf } from "./routes/show.ts";
import { RunBoard } from "./run-board.ts";

const MOST_BODY_BYTES = 64 * 1024;

export interface DashboardOptions {
  readonly client: NatsClient;
  readonly queue: QueueOptions;
  readonly ports: DashboardPorts;
  readonly access: Access;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly log: Log;
}

export interface Dashboard {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves the dashboard until it is closed. Throws UsageError where the port cannot be had. */
export async function openDashboard(options: DashboardOptions): Promise<Dashboard> {
  const { client, ports, access, host, port, log } = options;
  await using opened = new AsyncDisposableStack();
  const board = opened.adopt(new RunBoard(client, (runId) => ports.watchRun(runId)), (each) => each.close());
  const queue = opened.adopt(
    openQueueForInspection(options.queue, (error) => log.warn({}, errorMessage(error))),
    (each) => each.close(),
  );
  const live = opened.adopt(new LivePages(log), (each) => each.close());
  const app = opened.adopt(Fastify({ bodyLimit: MOST_BODY_BYTES, forceCloseConnections: true }), (each) =>
    each.close(),
  );
  answerErrors(app, access, log);
  await guard(app, access, ports.actions !== null);
  addAssets(app);
  addProbes(app, board, ports);
  addPages(app, { client, board, details: new Details(client, board), live });
  if (ports.actions) await addActions(app, live, ports.actions);
  await addQueues(app, queue, ports.actions !== null);
  await board.start();
  const url = await listen(app, host, port);
  const toClose = opened.move();
  return {
    url,
    close: async () => {
      // Before the server: it would wait for those who follow pages.
      live.close();
      await toClose.disposeAsync();
    },
  };
}

function addProbes(app: FastifyInstance, board: RunBoard, ports: DashboardPorts): void {
  app.get("/healthz", async (_request, reply) => reply.type("text/plain").send("ok\n"));
  app.get("/readyz", async (_request, reply) => {
    const isReady = board.trouble === null;
    return reply
      .code(isReady ? 200 : 503)
      .type("text/plain")
      .send(isReady ? "ready\n" : "not ready\n");
  });
  app.get("/metrics", async (_request, reply) => {
    const { contentType, text } = await ports.metrics();
    return reply.type(contentType).send(text);
  });
}

/** People's mistakes and refusals as a page with words; anything else is logged, and told without its inside. */
function answerErrors(app: FastifyInstance, access: Access, log: Log): void {
  app.setErrorHandler((error, request, reply) => {
    const status = statusOf(error);
    if (status >= 500) log.error({ err: error, url: request.url }, "Cannot answer a request.");
    const words =
      status >= 500 && !(error instanceof ReplayError)
        ? "Cannot show that: see the dashboard's log."
        : errorMessage(error);
    if (status === 401 && access.kind === "password")
      reply.header("www-authenticate", 'Basic realm="cim-replay", charset="UTF-8"');
    const { viewer } = request;
    if (viewer === null || !(request.headers.accept ?? "").includes("text/html")) {
      return reply.code(status).type("text/plain; charset=utf-8").send(`${words}\n`);
    }
    const page = plainPage(
      "Not done",
      html`<h1>Not done</h1><p class="trouble">${words}</p><p><a href="/">Runs</a></p>`,
    );
    return reply
      .code(status)
      .type("text/html; charset=utf-8")
      .send(documentOf(page, viewer, pathOf(request)).text);
  });
  app.setNotFoundHandler(() => {
    throw new Refusal(404, "Cannot find that: there is no such page.");
  });
}

function statusOf(error: unknown): number {
  if (error instanceof UsageError) return 422;
  if (error instanceof UnreachableError) return 503;
  if (error instanceof ReplayError) return 409;
  const status = error instanceof Error && "statusCode" in error ? error.statusCode : undefined;
  return typeof status === "number" && status >= 400 && status < 600 ? status : 500;
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    const taken = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
    const why = taken ? "it is in use" : errorMessage(error);
    throw new UsageError(`Cannot open the dashboard on ${host}, port ${port}: ${why}. Give another --port.`);
  }
  const address = app.server.address();
  const actual = typeof address === "object" && address !== null ? address.port : port;
  const name = isLoopback(host) ? host : host === "0.0.0.0" || host === "::" ? "localhost" : host;
  return `http://${name.includes(":") ? `[${name}]` : name}:${actual}`;
}
