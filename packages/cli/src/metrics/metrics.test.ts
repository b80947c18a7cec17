import { createServer } from "node:net";
import { UsageError } from "@cim-replay/core";
import { describe, expect, test } from "vitest";
import { progress } from "../output/progress.fixture.ts";
import type { MetricsOptions } from "./metrics-server.ts";
import { openMetrics } from "./open-metrics.ts";
import { runRegistry, type RunMetricsSource } from "./run-metrics.ts";
import { workerRegistry } from "./worker-metrics.ts";
import { WorkerWatch } from "./worker-watch.ts";

function registryOf(more: Partial<RunMetricsSource> = {}) {
  return runRegistry(async () => ({ progress, queue: { waiting: 3, active: 1 }, connectedWorkers: 5, ...more }));
}

function options(more: Partial<MetricsOptions>): MetricsOptions {
  const loadRegistry = async () => registryOf();
  return { port: 0, given: true, loadRegistry, isReady: () => true, warn: () => undefined, ...more };
}

async function takenPort(): Promise<{ port: number; [Symbol.asyncDispose](): Promise<void> }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return {
    port: address.port,
    [Symbol.asyncDispose]: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}

describe("metrics of a run", () => {
  test("are what the run's progress says, under the runbook's names", async () => {
    const text = await registryOf().metrics();
    for (const line of [
      "cim_replay_events_per_second 12345.6",
      "cim_replay_lag_seconds 12",
      "cim_replay_errors_total 0",
      `cim_replay_memory_bytes ${200 * 2 ** 20}`,
      'cim_replay_units{state="done"} 1',
      'cim_replay_stage_seconds_total{stage="fold"} 2',
      'cim_replay_queue_jobs{state="waiting"} 3',
      "cim_replay_retries_total 2",
      "cim_replay_units_resent_total 3",
      "cim_replay_workers 5",
      "cim_replay_workers_at_work 1",
    ]) {
      expect(text.split("\n")).toContain(line);
    }
    expect(text).toMatch(/# HELP cim_replay_lag_seconds \S/);
  });

  test("follow their source from scrape to scrape, counters too", async () => {
    let source: RunMetricsSource = { progress: null, queue: {}, connectedWorkers: null };
    const registry = runRegistry(async () => source);
    expect(await registry.metrics()).not.toMatch(/^cim_replay_events_per_second /m);
    source = { progress: { ...progress, errors: 4 }, queue: {}, connectedWorkers: null };
    await registry.metrics();
    expect(await registry.metrics()).toContain("cim_replay_errors_total 4\n");
  });

  test("know the workers at work while Redis cannot tell who is connected", async () => {
    expect(await registryOf({ connectedWorkers: null }).metrics()).toMatch(/^cim_replay_workers 1$/m);
  });

  test("have the memory limit where there is one", async () => {
    expect(await registryOf().metrics()).not.toMatch(/^cim_replay_memory_limit_bytes /m);
    const settings = { ...progress.run.settings, memoryLimitBytes: 8_000_000 };
    const limited = { ...progress, run: { ...progress.run, settings } };
    expect(await registryOf({ progress: limited }).metrics()).toMatch(/^cim_replay_memory_limit_bytes 8000000$/m);
  });

  test("have a worker's counterpart, under the same names", async () => {
    const registry = workerRegistry(() => ({
      reports: [],
      watch: new WorkerWatch(async () => null),
      outcomes: [{ domain: "graph", target: "B", failed: 2, refuted: 1 }],
    }));
    const text = await registry.metrics();
    expect(text).toMatch(/^cim_replay_memory_bytes \d+$/m);
    expect(text).toMatch(/^cim_replay_events_per_second 0$/m);
    expect(text).toMatch(/^cim_replay_errors_total 0$/m);
    expect(text).toMatch(/^cim_replay_failed_runs{domain="graph",target="B"} 2$/m);
    expect(text).toMatch(/^cim_replay_refuted_runs{domain="graph",target="B"} 1$/m);
    // Nothing is at work, so that nothing lags.
    expect(text).not.toMatch(/^cim_replay_lag_seconds /m);
  });
});

describe("the metrics server", () => {
  test("serves metrics, health and readiness", async () => {
    let isReady = false;
    const server = await openMetrics(options({ isReady: () => isReady }));
    const url = `http://127.0.0.1:${server?.port}`;
    const metrics = await fetch(`${url}/metrics`);
    expect(metrics.headers.get("content-type")).toContain("text/plain");
    expect(await metrics.text()).toContain("cim_replay_events_per_second");
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    isReady = true;
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    expect((await fetch(`${url}/else`)).status).toBe(404);
    await server?.close();
  });

  test("refuses a port that was asked for and is in use", async () => {
    await using taken = await takenPort();
    const refusal = openMetrics(options({ port: taken.port }));
    await expect(refusal).rejects.toThrow(UsageError);
    await expect(refusal).rejects.toThrow(`port ${taken.port}: it is in use`);
  });

  test("goes on without where the default port is in use, and names the flag", async () => {
    await using taken = await takenPort();
    const warnings: string[] = [];
    expect(
      await openMetrics(options({ port: taken.port, given: false, warn: (line) => warnings.push(line) })),
    ).toBeNull();
    expect(warnings.join()).toContain("--metrics-port");
  });

  test("is not there where it is off", async () => {
    expect(await openMetrics({ ...options({}), port: "off" })).toBeNull();
  });
});
