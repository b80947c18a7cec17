import { JetStreamApiError } from "@nats-io/jetstream";
import { headers } from "nats";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { uniqueName } from "@cim-replay/testkit";
import { connectNats, type NatsClient } from "./connect.ts";
import { compareAndSet } from "./publish-cas.ts";

let client: NatsClient;
let stream: string;

beforeAll(async () => {
  client = await connectNats({ url: inject("natsUrl"), name: "publish-cas-test" });
  stream = uniqueName("CAS");
  await client.jsm.streams.add({ name: stream, subjects: [`${stream}.>`], max_msgs_per_subject: 1 });
});
afterAll(async () => {
  await client.jsm.streams.delete(stream);
  await client.close();
});

function set(through: NatsClient, key: string, expectedRevision: number): Promise<number | null> {
  const write = { stream, subject: `${stream}.${key}`, data: "x", headers: headers(), expectedRevision };
  return compareAndSet(through, { ...write, what: `write ${key}` });
}

/**
 * As a cluster may be for a minute after it was parted: a server that led before answers beside the one that leads now, and is
 * heard first. The first so many writes are refused by it; `areStored` says what the other one did.
 */
function refusing(times: number, areStored: boolean): NatsClient {
  let left = times;
  const publish: NatsClient["js"]["publish"] = async (...args) => {
    if (left-- <= 0) return client.js.publish(...args);
    if (areStored) await client.js.publish(...args).catch(() => undefined);
    throw new JetStreamApiError({ code: 400, err_code: 10071, description: "wrong last sequence: 0" });
  };
  return { ...client, js: Object.assign(Object.create(client.js) as NatsClient["js"], { publish }) };
}

test("a write that one server refuses and another stores is stored, and gives its revision", async () => {
  const revision = await set(refusing(1, true), "stored", 0);
  expect(revision).toBe((await client.jsm.streams.getMessage(stream, { last_by_subj: `${stream}.stored` }))?.seq);
  expect(await set(refusing(5, true), "stored", revision ?? 0)).toBeGreaterThan(revision ?? 0);
});

test("a write that is refused though nothing was written is tried again", async () => {
  expect(await set(refusing(3, false), "later", 0)).toBeGreaterThan(0);
});

test("a write over another's is refused, whoever says so, and leaves that as it is", async () => {
  const first = await set(client, "taken", 0);
  const second = await set(client, "taken", first ?? 0);
  for (const through of [client, refusing(1, true), refusing(1, false)]) {
    expect(await set(through, "taken", 0)).toBeNull();
    expect(await set(through, "taken", first ?? 0)).toBeNull();
  }
  expect((await client.jsm.streams.getMessage(stream, { last_by_subj: `${stream}.taken` }))?.seq).toBe(second);
});
