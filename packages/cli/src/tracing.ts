import { context, propagation, trace } from "@opentelemetry/api";

/** OpenTelemetry's own variables: an endpoint is what turns tracing on. */
export function isTracing(env: Readonly<Record<string, string | undefined>> = process.env): boolean {
  const isWanted = env.OTEL_EXPORTER_OTLP_ENDPOINT || env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
  return Boolean(isWanted) && env.OTEL_SDK_DISABLED !== "true" && env.OTEL_TRACES_EXPORTER !== "none";
}

/** Sends what is not sent yet, and gives up after a few seconds: a collector that is away keeps nobody waiting. */
export type EndTracing = () => Promise<void>;

const FLUSH_WITHIN_MS = 3_000;

/** Exports spans by OTLP over HTTP where the environment asks for it; its libraries are loaded only then. */
export async function startTracing(tool: string, version: string): Promise<EndTracing> {
  if (!isTracing()) return async () => undefined;
  const [
    { AsyncLocalStorageContextManager },
    { W3CTraceContextPropagator },
    { OTLPTraceExporter },
    resources,
    { BatchSpanProcessor, TracerProvider },
  ] = await Promise.all([
    import("@opentelemetry/context-async-hooks"),
    import("@opentelemetry/core"),
    import("@opentelemetry/exporter-trace-otlp-http"),
    import("@opentelemetry/resources"),
    import("@opentelemetry/sdk-trace"),
  ]);
  const named = resources.resourceFromAttributes({ "service.name": "cim-replay", "service.version": version });
  const own = resources.resourceFromAttributes({ "process.pid": process.pid, "process.executable.name": tool });
  const fromEnv = resources.detectResources({ detectors: [resources.envDetector] });
  const provider = new TracerProvider({
    resource: named.merge(own).merge(fromEnv),
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter() })],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  return async () => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, FLUSH_WITHIN_MS);
    });
    // Spans are for looking on: that they cannot be sent is no failure of the work.
    await Promise.race([provider.shutdown().catch(() => undefined), late]);
    clearTimeout(timer);
  };
}
