import { uniqueName } from "@cim-replay/testkit";
import { AckPolicy } from "@nats-io/jetstream";
import { expect, inject, it } from "vitest";
import { connectNats } from "./connect.ts";
import { readConsumers } from "./read-consumers.ts";
import { createReadConsumer, newConsumerName } from "./reader-consumer.ts";

it("lists the consumers that readers made, and nobody else's", async () => {
  const client = await connectNats({ url: inject("natsUrl"), name: "test" });
  const stream = uniqueName("CONSUMED");
  try {
    await client.jsm.streams.add({ name: stream, subjects: [`${stream}.>`] });
    for (const subject of ["a", "b", "c"]) await client.js.publish(`${stream}.${subject}`, "{}");
    await client.jsm.consumers.add(stream, { durable_name: "somebody", ack_policy: AckPolicy.None });
    const names = Array.from({ length: 20 }, newConsumerName);
    for (const name of names) await createReadConsumer(client, stream, name, 2, []);
    const found = await readConsumers(client, stream);
    expect(found.map(({ name }) => name).sort()).toEqual(names.sort());
    expect(found[0]).toMatchObject({ pending: 2, requests: 0 });
  } finally {
    await client.jsm.streams.delete(stream);
    await client.close();
  }
});
