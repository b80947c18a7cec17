import { ReplayError } from "@cim-replay/core";
import { type ServerHandle, startNats } from "@cim-replay/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectNats, type NatsClient } from "./connect.ts";
import { factsOf, fillStream, makeStream } from "./reader-fixture.ts";
import { lastSeqAtNanos, seqAtTime } from "./seq-at-time.ts";
import { deletedWithin, findStreamsFor, lastMatchingSeq, streamFacts } from "./stream-info.ts";
import { subjectCounts } from "./subject-index.ts";

let server: ServerHandle;
let client: NatsClient;

beforeAll(async () => {
  server = await startNats();
  client = await connectNats({ url: server.url, name: "stream-info-test" });
});

afterAll(async () => {
  await client.close();
  await server.stop();
});

async function receivedAtMs(stream: string, seq: number): Promise<number> {
  const message = await client.jsm.streams.getMessage(stream, { seq });
  if (!message) throw new Error(`no message ${seq}`);
  return Date.parse(message.timestamp);
}

test("facts tell a stream's identity, extent and limits; null where there is none", async () => {
  await client.jsm.streams.add({
    name: "FACTS",
    subjects: ["facts.a.>", "facts.b"],
    max_msgs_per_subject: 3,
    max_age: 60_000_000_000,
    storage: "memory",
  });
  for (let i = 0; i < 5; i++) await client.js.publish("facts.b", "x");
  const facts = await factsOf(client, "FACTS");
  expect(facts).toMatchObject({
    name: "FACTS",
    firstSeq: 3,
    lastSeq: 5,
    messages: 3,
    numDeleted: 0,
    subjects: ["facts.a.>", "facts.b"],
    limits: { maxMsgsPerSubject: 3, maxAgeMs: 60_000, maxMsgs: -1, maxBytes: -1, maxMsgSize: -1 },
    storage: "memory",
    replicas: 1,
    retention: "limits",
  });
  expect(Date.parse(facts.created)).toBeGreaterThan(Date.now() - 60_000);
  expect(await streamFacts(client, "NONE")).toBeNull();
  expect(await streamFacts(client, "no.such*name")).toBeNull();
});

test("streams are found by overlapping subjects, wildcards on either side", async () => {
  await client.jsm.streams.add({ name: "OVER_1", subjects: ["over.flow.>"] });
  await client.jsm.streams.add({ name: "OVER_2", subjects: ["over.graph.*.Added"] });
  expect(await findStreamsFor(client, ["over.*.id.Added"])).toEqual(["OVER_1", "OVER_2"]);
  expect(await findStreamsFor(client, ["over.flow.a.>"])).toEqual(["OVER_1"]);
  expect(await findStreamsFor(client, ["over.graph.>", "over.flow.x"])).toEqual(["OVER_1", "OVER_2"]);
  expect(await findStreamsFor(client, ["elsewhere.>"])).toEqual([]);
});

test("deleted sequences are those inside and those purged from the front, within the range", async () => {
  await makeStream(client, "HOLES");
  await fillStream(client, "HOLES", 100);
  for (const seq of [20, 21, 50, 100]) await client.jsm.streams.deleteMessage("HOLES", seq);
  const all = { fromSeq: 1, toSeq: 100 };
  expect((await deletedWithin(client, "HOLES", all)).canonical()).toBe("20-21,50-50,100-100");
  await client.jsm.streams.purge("HOLES", { seq: 19 });
  expect((await deletedWithin(client, "HOLES", all)).canonical()).toBe("1-18,20-21,50-50,100-100");
  await client.jsm.streams.deleteMessage("HOLES", 19);
  expect((await deletedWithin(client, "HOLES", all)).canonical()).toBe("1-21,50-50,100-100");
  expect((await deletedWithin(client, "HOLES", { fromSeq: 21, toSeq: 60 })).canonical()).toBe("21-21,50-50");
  expect((await deletedWithin(client, "HOLES", { fromSeq: 5, toSeq: 8 })).canonical()).toBe("5-8");
});

test("the last matching sequence skips deleted messages, also for all subjects", async () => {
  await makeStream(client, "LAST");
  expect(await lastMatchingSeq(client, "LAST", ">")).toBeNull();
  await fillStream(client, "LAST", 100);
  expect(await lastMatchingSeq(client, "LAST", ">")).toBe(100);
  expect(await lastMatchingSeq(client, "LAST", "LAST.3")).toBe(94);
  expect(await lastMatchingSeq(client, "LAST", "LAST.none")).toBeNull();
  for (let seq = 91; seq <= 100; seq++) await client.jsm.streams.deleteMessage("LAST", seq);
  expect(await lastMatchingSeq(client, "LAST", ">")).toBe(90);
  expect(await lastMatchingSeq(client, "LAST", "LAST.3")).toBe(84);
  await client.jsm.streams.purge("LAST");
  expect(await lastMatchingSeq(client, "LAST", ">")).toBeNull();
});

test("a time is turned into a sequence exactly, over deleted messages too", async () => {
  await makeStream(client, "TIME");
  for (let i = 0; i < 30; i++) {
    await client.js.publish("TIME.x", String(i));
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  const times = await Promise.all(Array.from({ length: 30 }, (_, i) => receivedAtMs("TIME", i + 1)));
  for (const seq of [1, 10, 11, 12, 13, 20, 30]) await client.jsm.streams.deleteMessage("TIME", seq);
  const present = times
    .map((timeMs, i) => ({ seq: i + 1, timeMs }))
    .filter(({ seq }) => ![1, 10, 11, 12, 13, 20, 30].includes(seq));
  const [first = 0, last = 0] = [times[0], times.at(-1)];
  for (const timeMs of [first - 1_000, ...times, ...times.map((time) => time + 1), last + 1_000]) {
    const after = present.find((message) => message.timeMs >= timeMs)?.seq ?? null;
    const before = present.findLast((message) => message.timeMs <= timeMs)?.seq ?? null;
    expect(await seqAtTime(client, "TIME", timeMs, "first-at-or-after")).toBe(after);
    expect(await seqAtTime(client, "TIME", timeMs, "last-at-or-before")).toBe(before);
  }
});

test("a time is turned into a sequence to the nanosecond, also of messages of one millisecond", async () => {
  await makeStream(client, "NANOS");
  await Promise.all(Array.from({ length: 200 }, (_, i) => client.js.publish("NANOS.x", String(i))));
  const nanos: bigint[] = [];
  for (let seq = 1; seq <= 200; seq++) {
    const { timestamp } = (await client.jsm.streams.getMessage("NANOS", { seq })) ?? { timestamp: "" };
    const [, second = "", fraction = ""] = /^(.*:\d\d)\.?(\d*)Z$/.exec(timestamp) ?? [];
    nanos.push(BigInt(Date.parse(`${second}Z`)) * 1_000_000n + BigInt(fraction.padEnd(9, "0")));
  }
  // Otherwise it would show nothing.
  expect(new Set(nanos.map((time) => time / 1_000_000n)).size).toBeLessThan(200);
  for (const time of [nanos[0] ?? 0n, nanos[99] ?? 0n, nanos[100] ?? 0n, nanos[199] ?? 0n]) {
    for (const at of [time - 1n, time, time + 1n]) {
      const expected = nanos.findLastIndex((each) => each <= at) + 1;
      expect(await lastSeqAtNanos(client, "NANOS", at)).toBe(expected || null);
    }
  }
});

test("subjects are counted by filter, also where one is named as a property of every object", async () => {
  await makeStream(client, "COUNT");
  for (const subject of ["COUNT.a", "COUNT.a", "COUNT.b", "COUNT.sub.c"]) await client.js.publish(subject, "x");
  expect(await subjectCounts(client, "COUNT", "COUNT.*")).toEqual(
    new Map([
      ["COUNT.a", 2],
      ["COUNT.b", 1],
    ]),
  );
  expect(await subjectCounts(client, "COUNT", "other.>")).toEqual(new Map());
  await client.jsm.streams.add({ name: "PROTO", subjects: ["__proto__", "constructor"] });
  await client.js.publish("__proto__", "x");
  await client.js.publish("constructor", "x");
  expect(await subjectCounts(client, "PROTO", ">")).toEqual(
    new Map([
      ["__proto__", 1],
      ["constructor", 1],
    ]),
  );
  await expect(subjectCounts(client, "NONE", ">")).rejects.toThrow(ReplayError);
});

test("more subjects than one page holds are all counted", async () => {
  await makeStream(client, "PAGES");
  let stored = 0;
  const inbox = "pages.acks";
  client.nc.subscribe(inbox, {
    callback: () => {
      stored++;
    },
  });
  for (let i = 0; i < 210_000; i++) {
    client.nc.publish(`PAGES.${i}`, "", { reply: inbox });
    while (i - stored > 3_000) await new Promise((resolve) => setImmediate(resolve));
  }
  await expect.poll(() => stored, { timeout: 30_000 }).toBe(210_000);
  expect((await factsOf(client, "PAGES")).numSubjects).toBe(210_000);
  for (const likely of [0, 210_000]) {
    const counts = await subjectCounts(client, "PAGES", "PAGES.>", likely);
    expect(counts.size).toBe(210_000);
    expect(counts.get("PAGES.209999")).toBe(1);
  }
  expect((await subjectCounts(client, "PAGES", "PAGES.1", 210_000)).size).toBe(1);
});
