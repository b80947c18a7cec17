import { setTimeout as sleep } from "node:timers/promises";
import { compileDomain, type DomainCodec, domainSettingsSchema, UsageError } from "@cim-replay/core";
import { connectNats, type NatsClient } from "@cim-replay/nats";
import { uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { countEvents, type EventCounts } from "./count-events.ts";
import { requireStream } from "./require-stream.ts";
import { publishGraphs } from "./run.fixture.ts";

let client: NatsClient;
let stream: string;

beforeAll(async () => {
  client = await connectNats({ url: inject("natsUrl"), name: "test" });
});
afterAll(() => client.close());
beforeEach(() => {
  stream = uniqueName("STREAM");
});

function codecOf(subject = "{domain}.{aggregate_id}.{event_type}") {
  return compileDomain("graph", domainSettingsSchema.parse({ stream, subject: `${stream}.${subject}` }));
}

async function count(codec: DomainCodec, subjects = codec.subjects, most?: number): Promise<EventCounts> {
  return countEvents(client, await requireStream(client, stream, codec.subjects), codec, subjects, most);
}

describe("countEvents", () => {
  it("counts each aggregate's events of all types, and nobody else's", async () => {
    await publishGraphs(client, stream, ["a", "b", "a", "a"]);
    await client.js.publish(`${stream}.graph.a.OtherType`, "{}");
    await client.js.publish(`${stream}.workflow.a.Happened`, "{}");
    const codec = codecOf();
    const counts = await count(codec);
    expect(counts.events).toBe(5);
    expect([...(counts.byKey ?? [])].sort()).toEqual([
      ["a", { minEvents: 4, maxEvents: 4 }],
      ["b", { minEvents: 1, maxEvents: 1 }],
    ]);
    expect(counts.stream.lastSeq).toBe(6);
  });

  it("counts only what the given filters let through", async () => {
    await publishGraphs(client, stream, ["a", "b", "a"]);
    const codec = codecOf();
    const counts = await count(codec, codec.aggregateSubjects("a") ?? []);
    expect([...(counts.byKey ?? [])]).toEqual([["a", { minEvents: 2, maxEvents: 2 }]]);
  });

  it("knows no keys where subjects hold none", async () => {
    await publishGraphs(client, stream, ["a", "b"]);
    const codec = codecOf("{domain}.*.{event_type}");
    expect(await count(codec)).toMatchObject({ byKey: null, events: 2 });
  });

  it("does not count where there are too many subjects, of the domain itself", async () => {
    await publishGraphs(client, stream, ["a", "b", "c"]);
    for (const id of ["x", "y"]) await client.js.publish(`${stream}.workflow.${id}.Happened`, "{}");
    const codec = codecOf();
    expect(await count(codec, codec.subjects, 2)).toMatchObject({
      byKey: null,
      events: 5,
      tooManySubjects: 3,
    });
    expect(await count(codec, codec.subjects, 3)).toMatchObject({
      events: 3,
      tooManySubjects: null,
    });
    const one = await count(codec, codec.aggregateSubjects("a") ?? [], 2);
    expect(one.byKey?.get("a")).toEqual({ minEvents: 1, maxEvents: 1 });
  });

  it("bounds the counts up to the pinned sequence while somebody publishes all the time", async () => {
    const ids = ["a", "b", "c"];
    await publishGraphs(
      client,
      stream,
      Array.from({ length: 3_000 }, (_, i) => ids[i % 2] ?? ""),
    );
    const sent: string[] = [];
    let isOver = false;
    const writing = (async () => {
      while (!isOver) {
        const id = ids[sent.length % 3] ?? "";
        await client.js.publish(`${stream}.graph.${id}.GraphUpdated`, "{}");
        sent.push(id);
      }
    })();
    await sleep(50);
    const codec = codecOf();
    const counts = await count(codec);
    isOver = true;
    await writing;
    expect(sent.length).toBeGreaterThan(10);
    const pinned = counts.stream.lastSeq - 3_000;
    for (const id of ids) {
      const before = (id === "c" ? 0 : 1_500) + sent.slice(0, pinned).filter((each) => each === id).length;
      const { minEvents = 0, maxEvents = 0 } = counts.byKey?.get(id) ?? {};
      expect(minEvents, id).toBeLessThanOrEqual(before);
      expect(maxEvents, id).toBeGreaterThanOrEqual(before);
      // What came meanwhile is known, so the bounds are close.
      expect(maxEvents - minEvents).toBeLessThan(500);
      expect(minEvents).toBeGreaterThan(before - 500);
    }
  });

  it("names the streams that might be meant where there is none of the name", async () => {
    await publishGraphs(client, stream, ["a"]);
    const codec = codecOf();
    const failure = requireStream(client, "NO_SUCH", codec.subjects);
    await expect(failure).rejects.toThrow(new RegExp(`stream NO_SUCH: there is none.*with such subjects: ${stream};`));
    await expect(failure).rejects.toBeInstanceOf(UsageError);
  });
});
