import { domainSettingsSchema } from "@cim-replay/core";
import { connectNats, ensureBucket, EntryWriter, Ledger, type NatsClient } from "@cim-replay/nats";
import { generateEvents, planOf, publishEvents, runOf, settingsOf, uniqueName } from "@cim-replay/testkit";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import type { RuleSet } from "./rule.ts";
import { ruleSet } from "./rules.fixture.ts";
import { validateDomain } from "./validate-domain.ts";

let client: NatsClient;
let bucket: string;
let stream: string;

beforeEach(async () => {
  client = await connectNats({ url: inject("natsUrl"), name: "test" });
  bucket = uniqueName("BUCKET");
  stream = uniqueName("STREAM");
});
afterEach(async () => {
  await client.jsm.streams.delete(stream).catch(() => false);
  await client.jsm.streams.delete(`KV_${bucket}`).catch(() => false);
  await client.close();
});

async function put(values: Readonly<Record<string, unknown>>): Promise<void> {
  await ensureBucket(client, bucket);
  const writer = new EntryWriter(client, bucket);
  for (const [key, value] of Object.entries(values)) {
    await writer.put(key, JSON.stringify(value), { run: "r1", epoch: 1, lastSeq: 9, events: 3, sha256: "00" }, 0);
  }
  await writer.flush();
}

async function publish(events: number): Promise<void> {
  await client.jsm.streams.add({ name: stream, subjects: [`${stream}.>`] });
  const options = { domains: ["graph", "person"], events, aggregates: 40, skew: 0, seed: 3 };
  const moved = [...generateEvents(options)].map(({ subject, data }) => ({
    subject: subject.replace(/^events/, stream),
    data,
  }));
  const broken = { subject: `${stream}.graph.g.NodeAdded`, data: Buffer.from("{") };
  await publishEvents(client, { stream, events: [...moved, broken] });
}

function validate(rules: RuleSet) {
  const domainSettings = domainSettingsSchema.parse({
    stream,
    subject: `${stream}.{domain}.{aggregate_id}.{event_type}`,
  });
  const signal = new AbortController().signal;
  return validateDomain({ client, domain: "graph", domainSettings, bucket, rules, toolVersion: "0.0.0", signal });
}

describe("validating a domain", () => {
  it("asks every entry of the domain and no other, in batches", async () => {
    const entries = Array.from({ length: 3_000 }, (_, i) => [`graph.g${i}`, { n: i }]);
    await put({ ...Object.fromEntries(entries), "graphs.x": { n: -1 }, "person.x": { n: -1 } });
    const validation = await validate(
      ruleSet(
        { name: "positive", condition: "entry.n >= 0 && events == 3" },
        {
          name: "sum",
          scope: "domain",
          collect: { n: { sum: "entry.n" } },
          condition: "n == 4498500 && entries == 3000",
        },
        { name: "small", severity: "warning", condition: "entry.n < 2990", message: "{{ id }} has {{ entry.n }}" },
      ),
    );
    expect(validation).toMatchObject({ verdict: "holds", entries: 3_000, writtenMeanwhile: 0, stream: null });
    expect(validation.bucket).toMatchObject({ name: bucket, lastRevision: 3_002 });
    expect(validation.results.map(({ name, checked, failed }) => [name, checked, failed])).toEqual([
      ["entry-is-json", 3_000, 0],
      ["positive", 3_000, 0],
      ["sum", 1, 0],
      ["small", 3_000, 10],
    ]);
    expect(validation.results[3]?.examples[0]).toEqual({ key: "graph.g2990", message: "g2990 has 2990" });
  });

  it("fails by an error, and by no warning", async () => {
    await put({ "graph.a": { n: 1 } });
    const condition = "entry.n == 2";
    expect((await validate(ruleSet({ condition, severity: "warning" }))).verdict).toBe("holds");
    expect((await validate(ruleSet({ condition, severity: "info" }))).verdict).toBe("holds");
    expect((await validate(ruleSet({ condition }))).verdict).toBe("fails");
  });

  it("counts the domain's events, in all from the index, by type from the stream", async () => {
    await put({ "graph.a": {} });
    await publish(2_000);
    const total = await validate(ruleSet({ scope: "counts", condition: "events.total == 1001 && entries == 1" }));
    expect(total.results[1]).toMatchObject({ failed: 0 });
    expect(total.stream).toMatchObject({ name: stream, lastSeq: 2_001 });
    const byType = await validate(
      ruleSet({
        scope: "counts",
        condition:
          "events.total == 1001 && events.malformed == 1 && events.by_type.GraphCreated == 20 && " +
          "events.by_type.node_added > 1 && events.by_type['Never'] == 0 && quarantined == 0 && " +
          "events.types.exists(t, t == 'NodeAdded')",
        message: "{{ events.types }}",
      }),
    );
    expect(byType.results[1]).toMatchObject({ failed: 0, examples: [] });
  });

  it("counts up to where the stream was when the entries were read, in either way, whatever comes meanwhile", async () => {
    await put({ "graph.a": {} });
    await client.jsm.streams.add({ name: stream, subjects: [`${stream}.>`] });
    const event = { aggregate_id: "a", event_type: "NodeAdded", payload: {}, timestamp: "2026-01-01T00:00:00Z" };
    const publishOne = () => client.js.publish(`${stream}.graph.a.NodeAdded`, JSON.stringify(event));
    await publishOne();
    let isOver = false;
    const writing = (async () => {
      while (!isOver) await Promise.all([publishOne(), publishOne()]);
    })();
    try {
      for (let tries = 0; tries < 5; tries++) {
        const [byIndex, byType] = [
          await validate(ruleSet({ scope: "counts", condition: "false", message: "{{ events.total }}" })),
          await validate(ruleSet({ scope: "counts", condition: "events.types == []", message: "{{ events.total }}" })),
        ];
        for (const { results, stream: at } of [byIndex, byType]) {
          expect(results[1]?.examples[0]).toMatchObject({ message: `${at?.lastSeq}` });
        }
      }
    } finally {
      isOver = true;
      await writing;
    }
  });

  it("cannot count where there is no stream, and needs none where nothing is counted", async () => {
    await put({ "graph.a": {} });
    await expect(validate(ruleSet({ scope: "counts", condition: "events.total > 0" }))).rejects.toThrow(
      `Cannot count the events of graph: there is no stream ${stream}`,
    );
    expect((await validate(ruleSet({ scope: "counts", condition: "quarantined == 0" }))).verdict).toBe("holds");
  });

  it("knows what the last completed run of the whole domain left out", async () => {
    await put({ "graph.a": {} });
    const ledger = await Ledger.open(client, { create: true });
    const counts = { events: 9, aggregates: 1, entriesWritten: 1, entriesUnchanged: 0, orphans: 0, pruned: 0 };
    const completed = (quarantined: number, createdAt: string, aggregateId: string | null) =>
      runOf(uniqueName("run"), {
        state: "completed",
        createdAt,
        settings: settingsOf(stream, { target: bucket, aggregateId }),
        summary: { ...counts, quarantined, seconds: 1, eventsPerSecond: 9, findings: [], certificate: null },
      });
    const runs = [
      completed(1, "2026-01-01T00:00:00.000Z", null),
      completed(5, "2026-01-02T00:00:00.000Z", null),
      completed(7, "2026-01-03T00:00:00.000Z", "a"),
    ];
    for (const run of runs) await ledger?.createRun(run, planOf(run.id), []);
    const validation = await validate(ruleSet({ scope: "counts", condition: "quarantined == 5" }));
    expect(validation.results[1]).toMatchObject({ failed: 0, checked: 1 });
  });

  it("refuses to call nothing valid", async () => {
    await expect(validate(ruleSet({}))).rejects.toThrow(`there is no bucket ${bucket}`);
    await put({ "person.a": {} });
    await expect(validate(ruleSet({}))).rejects.toThrow(`bucket ${bucket} holds no entry of it`);
  });
});
