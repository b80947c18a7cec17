import type { MetricsOptions, MetricsServer } from "./metrics-server.ts";

/** As `serveMetrics`, which is only loaded where metrics are not off: local workers serve none, and start sooner so. */
export async function openMetrics(
  options: Omit<MetricsOptions, "port"> & { readonly port: number | "off" },
): Promise<MetricsServer | null> {
  const { port } = options;
  if (port === "off") return null;
  const { serveMetrics } = await import("./metrics-server.ts");
  return serveMetrics({ ...options, port });
}
