import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectNats, type NatsClient } from "@cim-replay/nats";
import { locateNats, type ServerPair, startServerPair } from "@cim-replay/testkit";
import { type Dataset, publishDataset, type ServerLine, settingsFor } from "./dataset.ts";

/** Servers, a connection to them, and a folder for settings files. */
export interface Bench {
  readonly servers: ServerPair;
  readonly client: NatsClient;
  readonly folder: string;
}

export type Benches = ReadonlyMap<ServerLine, Bench>;

/** Gives `work` fresh servers, and leaves nothing of them behind. */
export async function withBench<T>(work: (bench: Bench) => Promise<T>, line: ServerLine = "newest"): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "cim-replay-bench-"));
  try {
    const binary = await locateNats({ version: line === "oldest" ? "oldest" : "any" });
    const servers = await startServerPair({ nats: { binary } });
    try {
      const client = await connectNats({ url: servers.nats.url, name: "bench" });
      try {
        return await work({ servers, client, folder });
      } finally {
        await client.close();
      }
    } finally {
      await servers.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The same with a pair of servers for each line of nats-server that is asked for. */
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
