import { createServer, type Server, type ServerResponse } from "node:http";
import { errorMessage, UsageError } from "@cim-replay/core";
import type { Registry } from "prom-client";

export interface MetricsServer {
  readonly port: number;
  close(): Promise<void>;
}

export interface MetricsOptions {
  readonly port: number;
  /** True where somebody asked for this very port: then it is an error that it is taken. */
  readonly given: boolean;
  /** Asked for with the first scrape: what nobody scrapes is never loaded. */
  loadRegistry(): Promise<Registry>;
  /** What `/readyz` answers. */
  isReady(): boolean;
  warn(line: string): void;
}

/** Serves `/metrics`, `/healthz` and `/readyz`. Null where the default port is somebody else's. */
export async function serveMetrics(options: MetricsOptions): Promise<MetricsServer | null> {
  const { port, given, warn } = options;
  let registry: Promise<Registry> | null = null;
  const loadRegistry = () => (registry ??= options.loadRegistry());
  const server = createServer((request, response) => {
    void answer({ ...options, loadRegistry }, request.url ?? "/", response);
  });
  try {
    await listen(server, port);
  } catch (error) {
    const taken = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
    const why = taken ? "it is in use" : errorMessage(error);
    if (given || !taken) {
      throw new UsageError(`Cannot serve metrics on port ${port}: ${why}. Give another --metrics-port, or off.`);
    }
    warn(`warning: no metrics: port ${port} is in use. Choose another with --metrics-port.`);
    return null;
  }
  server.unref();
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

async function answer(
  { loadRegistry, isReady }: Pick<MetricsOptions, "loadRegistry" | "isReady">,
  url: string,
  response: ServerResponse,
): Promise<void> {
  const path = url.split("?")[0];
  try {
    if (path === "/metrics") {
      const registry = await loadRegistry();
      const body = await registry.metrics();
      response.writeHead(200, { "content-type": registry.contentType }).end(body);
    } else if (path === "/healthz") {
      respond(response, 200, "ok");
    } else if (path === "/readyz") {
      respond(response, isReady() ? 200 : 503, isReady() ? "ready" : "not ready");
    } else {
      respond(response, 404, "not found: /metrics, /healthz, /readyz");
    }
  } catch (error) {
    respond(response, 500, errorMessage(error));
  }
}

function respond(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${text}\n`);
}
