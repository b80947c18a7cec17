import { setTimeout as sleep } from "node:timers/promises";
import { UnreachableError } from "@cim-replay/core";
import { startNatsCluster } from "@cim-replay/testkit";
import { afterAll, beforeAll, expect, it } from "vitest";
import { connectNats, type NatsClient } from "./connect.ts";

let cluster: Awaited<ReturnType<typeof startNatsCluster>>;

beforeAll(async () => {
  cluster = await startNatsCluster(3);
});
afterAll(() => cluster.stop());

/** A leader may go on for some seconds before it notices that it leads nobody. */
async function untilLeaderless({ jsm }: NatsClient): Promise<void> {
  const answers = () =>
    jsm.getAccountInfo().then(
      () => true,
      () => false,
    );
  while (await answers()) await sleep(100);
}

it("waits until a cluster has a leader, and says what it lacks where it gets none", async () => {
  const [first, ...others] = cluster.servers.values();
  if (!first) throw new Error("no server");
  const connect = () => connectNats({ url: first.url, name: "test" });
  const witness = await connect();
  await Promise.all(others.map((other) => other.kill()));
  await untilLeaderless(witness);
  const connecting = connect();
  const early = sleep(3_000).then(() => "still waiting");
  expect(await Promise.race([connecting.then(() => "connected"), early])).toBe("still waiting");
  await others[0]?.restart();
  await (await connecting).close();

  await others[0]?.kill();
  await untilLeaderless(witness);
  const error = await connect().catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(UnreachableError);
  expect(String(error)).toMatch(/JetStream does not answer .* More than half of the servers of cluster \S+ must be up/);
  await witness.close();
}, 180_000);
