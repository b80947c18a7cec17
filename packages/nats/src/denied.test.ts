import { startNats } from "@cim-replay/testkit";
import { expect, test } from "vitest";
import { connectNats, type NatsClient } from "./connect.ts";
import { ensureBucket } from "./entries.ts";
import { EntryWriter } from "./entry-writer.ts";
import { publishAll } from "./publish-all.ts";

/** A login that may do everything but what is named. */
async function withoutPublishing(denied: string, work: (client: NatsClient) => Promise<void>): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const permissions = `{ publish: { deny: [${JSON.stringify(denied)}] } }`;
  const config = `authorization { users: [{ user: "u", password: "p", permissions: ${permissions} }] }`;
  const server = stack.adopt(await startNats({ config }), (each) => each.stop());
  const url = `nats://u:p@127.0.0.1:${server.port}`;
  const client = stack.adopt(await connectNats({ url, name: "test" }), (each) => each.close());
  await client.jsm.streams.add({ name: "EVENTS", subjects: ["events.>"] });
  await ensureBucket(client, "B");
  const startedAt = performance.now();
  await work(client);
  expect(performance.now() - startedAt).toBeLessThan(4_000);
}

test("many messages to a stream end at the first that may not be published", async () => {
  await withoutPublishing("events.b", async (client) => {
    const data = new TextEncoder().encode("{}");
    const messages = ["events.a", "events.b", "events.a"].map((subject) => ({ subject, data }));
    await expect(publishAll(client, { stream: "EVENTS", messages })).rejects.toThrow(
      "Cannot publish to stream EVENTS: this login has no permission to publish to events.b.",
    );
  });
});

test("entries end at the first that may not be written", async () => {
  await withoutPublishing("$KV.B.>", async (client) => {
    const writer = new EntryWriter(client, "B");
    await writer.put("a.b", "1", { run: "r", epoch: 1, lastSeq: 1, events: 1, sha256: "0".repeat(64) }, 0);
    await expect(writer.flush()).rejects.toThrow(
      "Cannot write entries to bucket B: this login has no permission to publish to $KV.B.a.b.",
    );
  });
});

test("what was sent without waiting for an answer is remembered, by subject", async () => {
  await withoutPublishing("fire.forget", async (client) => {
    client.nc.publish("fire.forget");
    await client.settle();
    expect(() => client.denials.throwIfAny("go on")).toThrow(
      "Cannot go on: this login has no permission to publish to fire.forget.",
    );
    expect(() => client.denials.throwIfAny("go on", (subject) => subject === "other")).not.toThrow();
  });
});
