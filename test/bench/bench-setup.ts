import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectNats, type NatsClient } from "@cim-replay/nats";
import { locateNats, startNats, startNatsCluster, startRedis } from "@cim-replay/testkit";
import { CLUSTER_SIZE, type Dataset, publishDataset, type ServerLine, settingsFor } from "./dataset.ts";
import { cpuMicros } from "./proc-files.ts";

/** Servers, a connection to them, and a folder for settings files. */
export interface Bench {
  /** By the variables that commands take them from. */
  readonly urls: { readonly NATS_URL: string; readonly REDIS_URL: string };
  readonly client: NatsClient;
  readonly folder: string;
  /** Processor time so far, of all NATS servers together and of Redis. */
  serverMicros(): { nats: number; redis: number };
}

export type Benches = ReadonlyMap<ServerLine, Bench>;

/** Gives `work` fresh servers, and leaves nothing of them behind. */
export async function withBench<T>(work: (bench: Bench) => Promise<T>, line: ServerLine = "newest"): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "cim-replay-bench-"));
  const started: { stop(): Promise<void> }[] = [];
  try {
    const nats = await startLine(line);
    started.push(nats);
    const redis = await startRedis();
    started.push(redis);
    const client = await connectNats({ url: nats.url, name: "bench" });
    started.push({ stop: () => client.close() });
    const micros = (pids: readonly number[]) => pids.reduce((sum, pid) => sum + (cpuMicros(pid) ?? 0), 0);
    return await work({
      urls: { NATS_URL: nats.url, REDIS_URL: redis.url },
      ...{ client, folder },
      serverMicros: () => ({ nats: micros(nats.pids), redis: micros([redis.pid]) }),
    });
  } finally {
    for (const one of started.reverse()) await one.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function startLine(line: ServerLine): Promise<{ url: string; pids: number[]; stop(): Promise<void> }> {
  const binary = await locateNats({ version: line === "oldest" ? "oldest" : "any" });
  if (line !== "cluster") {
    const server = await startNats({ binary });
    return { url: server.url, pids: [server.pid], stop: () => server.stop() };
  }
  const cluster = await startNatsCluster(CLUSTER_SIZE, { binary });
  return { url: cluster.url, pids: [...cluster.servers.values()].map(({ pid }) => pid), stop: () => cluster.stop() };
}

/** The same with servers of each line that is asked for. */
export function withBenches<T>(lines: readonly ServerLine[], work: (benches: Benches) => Promise<T>): Promise<T> {
  const [line, ...others] = lines;
  if (line === undefined) return work(new Map());
  return withBench((bench) => withBenches(others, (benches) => work(new Map([[line, bench], ...benches]))), line);
}

/** Publishes a dataset, and says how fast that went. */
export async function standUp(bench: Bench, dataset: Dataset): Promise<void> {
  const started = performance.now();
  await publishDataset(bench.client, dataset);
  await writeFile(configFile(bench, dataset), settingsFor(dataset));
  const rate = Math.round((dataset.events * 1000) / (performance.now() - started));
  console.error(
    `published ${dataset.stream}: ${dataset.events} events of ${dataset.aggregates} aggregates, ${rate} events/s`,
  );
}

/** A settings file whose graph domain is this stream. */
export function configFile({ folder }: Bench, { stream }: Dataset): string {
  return join(folder, `${stream}.yaml`);
}
