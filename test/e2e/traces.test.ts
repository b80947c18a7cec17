import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { FaultStage } from "../support/fault-stage.ts";

const value = z.object({
  stringValue: z.string().optional(),
  intValue: z.union([z.number(), z.string()]).optional(),
  boolValue: z.boolean().optional(),
});
const attributes = z.array(z.object({ key: z.string(), value }));
const spanSchema = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: z.string(),
  attributes,
});
const exportSchema = z.object({
  resourceSpans: z.array(
    z.object({ resource: z.object({ attributes }), scopeSpans: z.array(z.object({ spans: z.array(spanSchema) })) }),
  ),
});
type Span = z.infer<typeof spanSchema> & { readonly pid: string };

/** Takes what is exported, as OpenTelemetry's collector would. */
class Collector {
  readonly spans: Span[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(): Promise<Collector> {
    const server = createServer(async (request, response) => {
      const { resourceSpans } = exportSchema.parse(await json(request));
      for (const { resource, scopeSpans } of resourceSpans) {
        const pid = attributeOf(resource.attributes, "process.pid");
        for (const { spans } of scopeSpans) collector.spans.push(...spans.map((span) => ({ ...span, pid })));
      }
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
    const collector = new Collector(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  named(name: string): Span[] {
    return this.spans.filter((span) => span.name === name);
  }

  /** From the span up to its root. */
  lineOf(span: Span): string[] {
    const parent = this.spans.find(({ spanId }) => spanId === span.parentSpanId);
    return parent ? [span.name, ...this.lineOf(parent)] : [span.name];
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function attributeOf(list: z.infer<typeof attributes>, key: string): string {
  const found = list.find((attribute) => attribute.key === key)?.value;
  return String(found?.stringValue ?? found?.intValue ?? found?.boolValue ?? "");
}

describe("a run's traces", () => {
  let stage: FaultStage;
  let collector: Collector;

  beforeAll(async () => {
    collector = await Collector.open();
    stage = await FaultStage.open({ events: 2_000, eventMicros: 100 });
  });
  afterAll(async () => {
    await stage?.close();
    await collector?.close();
  });

  it("go from the run over the queue to each unit and its stages, through all processes, as one trace", async () => {
    stage.moreEnv = {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment=test",
    };
    const run = stage.replay("--units", "2", "--parallel", "2", "--local-workers", "2");
    expect(await run.exited, run.said).toBe(0);
    const { id } = await stage.run();
    const [root, ...others] = collector.named("run");
    if (!root) throw new Error(`no run among ${collector.spans.map(({ name }) => name).join()}`);
    expect(others).toEqual([]);
    expect(root.parentSpanId ?? "").toBe("");
    expect(attributeOf(root.attributes, "cim_replay.run")).toBe(id);
    expect(attributeOf(root.attributes, "cim_replay.state")).toBe("completed");
    const units = collector.named("unit");
    expect(units.map(({ attributes: of }) => attributeOf(of, "cim_replay.unit")).sort()).toEqual(["u0", "u1"]);
    for (const unit of units) {
      expect(unit.traceId).toBe(root.traceId);
      expect(unit.pid).not.toBe(root.pid);
      expect(collector.lineOf(unit).at(-1)).toBe("run");
    }
    for (const stageName of ["read", "write"]) {
      const spans = collector.named(stageName);
      expect(spans, stageName).toHaveLength(2);
      for (const span of spans) expect(collector.lineOf(span).slice(0, 2)).toEqual([stageName, "unit"]);
    }
    const reads = collector.named("read").map(({ attributes: of }) => Number(attributeOf(of, "cim_replay.events")));
    expect(reads).toEqual([2_000, 2_000]);
    expect(collector.named("checkpoint").length).toBeGreaterThan(1);
    expect(collector.lineOf(collector.named("checkpoint")[0] as Span).slice(0, 3)).toEqual([
      "checkpoint",
      "read",
      "unit",
    ]);
    expect(collector.lineOf(collector.named("verify")[0] as Span)).toEqual(["verify", "run"]);
  });

  it("are not waited for where the collector is away, and cost the run nothing", async () => {
    stage.moreEnv = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" };
    const run = stage.replay("--local-workers", "1");
    expect(await run.exited, run.said).toBe(0);
    expect(run.stderr).not.toContain("127.0.0.1:1");
  });

  it("are not sent where nobody asks for them", async () => {
    stage.moreEnv = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_SDK_DISABLED: "true" };
    const before = collector.spans.length;
    const run = stage.replay("--local-workers", "1");
    expect(await run.exited, run.said).toBe(0);
    expect(collector.spans).toHaveLength(before);
  });
});
