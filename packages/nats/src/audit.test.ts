import { startNats } from "@cim-replay/testkit";
import { afterAll, beforeAll, expect, it } from "vitest";
import { AuditLog, type AuditRecord } from "./audit.ts";
import { connectNats, type NatsClient } from "./connect.ts";

let nats: Awaited<ReturnType<typeof startNats>>;
let client: NatsClient;

beforeAll(async () => {
  nats = await startNats();
  client = await connectNats({ url: nats.url, name: "test" });
});
afterAll(async () => {
  await client.close();
  await nats.stop();
});

const record = (domain: string): AuditRecord => ({
  ...{ version: 1, at: "2026-01-01T00:00:00.000Z", who: "me@here", command: "event-replay", step: "started", domain },
  ...{ target: "T", runId: null, parameters: { parallel: 4 }, outcome: null, certificate: null },
});

it("keeps records of any domain in order, and lets nobody delete or purge them", async () => {
  expect(await AuditLog.open(client, { create: false })).toBeNull();
  const log = await AuditLog.open(client, { create: true });
  const records = ["graph", "a.b c*>", "graph"].map(record);
  for (const each of records) await log?.append(each);
  await expect(client.jsm.streams.purge("CIM_REPLAY_AUDIT")).rejects.toThrow(/not permitted/);
  await expect(client.jsm.streams.deleteMessage("CIM_REPLAY_AUDIT", 1)).rejects.toThrow(/not permitted/);
  const readAll = async () => {
    const found: AuditRecord[] = [];
    for await (const each of log?.read() ?? []) found.push(each);
    return found;
  };
  expect(await readAll()).toEqual(records);
  await client.js.publish("_CIM_REPLAY.audit.x", "{}");
  await expect(readAll()).rejects.toThrow("Cannot read audit record 4");
});
