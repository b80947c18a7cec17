// healthcheck.js [PORT]: whether the process that serves this container's metrics, or that port, is ready. A command that serves
// none is healthy while it runs.
const port = process.argv[2] ?? process.env.CIM_REPLAY_METRICS_PORT ?? "9091";

if (port !== "off") {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(3000) });
  if (!response.ok) {
    console.error(`not ready: ${response.status}`);
    process.exit(1);
  }
}
