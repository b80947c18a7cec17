import { startServerPair } from "@cim-replay/testkit";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  export interface ProvidedContext {
    /** URL of the run's shared nats-server. Streams and buckets on it need names of their own: uniqueName(). */
    natsUrl: string;
    /** URL of the run's shared redis-server. */
    redisUrl: string;
  }
}

/** One nats-server and one redis-server for all tests of a run; tests that break servers start their own. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const servers = await startServerPair();
  project.provide("natsUrl", servers.nats.url);
  project.provide("redisUrl", servers.redis.url);
  return () => servers.stop();
}
