import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type NatsCluster, startNats, startNatsCluster, type ServerHandle } from "@cim-replay/testkit";
import { connectNats, type Replicas } from "./connect.ts";
import { bucketFacts, ensureBucket } from "./entries.ts";

async function replicasMade(url: string, replicas: Replicas, bucket: string): Promise<number | undefined> {
  const client = await connectNats({ url, name: "replicas", replicas });
  try {
    await ensureBucket(client, bucket);
    return (await bucketFacts(client, bucket))?.replicas;
  } finally {
    await client.close();
  }
}

describe("what is made on a server by itself", () => {
  let server: ServerHandle;
  beforeAll(async () => {
    server = await startNats();
  });
  afterAll(() => server.stop());

  it("has one replica", async () => {
    expect(await replicasMade(server.url, "auto", "alone")).toBe(1);
  });

  it("cannot have more, and says so where more are asked for", async () => {
    await expect(replicasMade(server.url, 3, "more")).rejects.toThrow(
      /^Cannot make bucket more with 3 replicas: .+ Set --nats-replicas to what the servers have room for\.$/,
    );
  });
});

describe("what is made on two servers of a cluster", () => {
  let cluster: NatsCluster;
  beforeAll(async () => {
    cluster = await startNatsCluster(2);
  });
  afterAll(() => cluster.stop());

  it("has one replica where there is no room for three", async () => {
    expect(await replicasMade(cluster.url, "auto", "auto")).toBe(1);
  });

  it("has as many as are asked for", async () => {
    expect(await replicasMade(cluster.url, 2, "two")).toBe(2);
  });
});
