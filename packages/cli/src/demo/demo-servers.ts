import { rm } from "node:fs/promises";
import { join } from "node:path";
import { cacheDir, serversDown, serversUp, startServerPair } from "@cim-replay/testkit";

export interface DemoServers {
  readonly natsUrl: string;
  readonly redisUrl: string;
  /** Where servers that are kept have their data; null where they end with this process. */
  readonly keptIn: string | null;
  end(): Promise<void>;
}

/** Servers that are this demo's alone; kept ones outlive it, those of an earlier demo are ended first. */
export async function startDemoServers(keep: boolean): Promise<DemoServers> {
  if (!keep) {
    const { nats, redis, stop } = await startServerPair();
    return { natsUrl: nats.url, redisUrl: redis.url, keptIn: null, end: stop };
  }
  const dir = join(cacheDir(), "demo");
  const clear = async () => {
    await serversDown({ dir });
    await rm(dir, { recursive: true, force: true });
  };
  await clear();
  const { nats, redis } = await serversUp({ dir });
  return { natsUrl: nats.url, redisUrl: redis.url, keptIn: dir, end: clear };
}
