import { randomBytes } from "node:crypto";
import { compileProjection, domainSettingsSchema, type Projection, type ReplayEvent } from "@cim-replay/core";
import { connectNats, type NatsClient } from "@cim-replay/nats";
import { builtinProjections } from "@cim-replay/projections";
import { generateEvents, publishEvents, startNats } from "@cim-replay/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkDeterminism } from "./determinism.ts";
import { type SampledAggregate, sampleAggregates } from "./determinism-sample.ts";

const domainSettings = domainSettingsSchema.parse({});
const types = ["Opened", "Moved", "Moved", "Closed"];

/** Three aggregates whose events take turns, sequences from 1 on. */
const sample: SampledAggregate[] = ["a", "b", "c"].map((id, aggregate) => ({
  id,
  isCut: false,
  messages: types.map((type, at) => ({
    seq: 1 + at * 3 + aggregate,
    subject: `events.shop.${id}.${type}`,
    receivedAtMs: 0,
    headers: undefined,
    data: Buffer.from(
      JSON.stringify({
        ...{ event_id: `${id}${at}`, aggregate_id: id, event_type: type, timestamp: "2026-01-01T00:00:00Z" },
        payload: { n: at, tags: ["x"] },
      }),
    ),
  })),
}));

interface State {
  [name: string]: unknown;
  seen: number;
}

function check(evolve: (state: State, event: ReplayEvent) => State, more: Partial<Projection<State>> = {}) {
  const projection = { name: "test", initial: () => ({ seen: 0 }), evolve, ...more };
  const compiled = compileProjection(projection as Projection);
  return checkDeterminism(sample, { domain: "shop", domainSettings, projection: compiled });
}

describe("a projection", () => {
  it("that is pure holds, with dates made of what events say", () => {
    const checked = check((state, { timestamp, payload, type }) => {
      const at = new Date(timestamp);
      const isDate = at instanceof Date && Date.parse(timestamp) === at.getTime() && Date.UTC(2026, 0) > 0;
      return { seen: state.seen + 1, type, isDate, at: at.toISOString(), payload };
    });
    expect(checked).toMatchObject({ holds: true, aggregates: 3, events: 12, uses: [], partings: [], refused: [] });
  });

  it.each([
    ["Date.now()", () => Date.now()],
    ["new Date()", () => new Date().toISOString()],
    ["Date()", () => Date()],
    ["Math.random()", () => Math.random()],
    ["performance.now()", () => performance.now()],
    ["crypto.randomUUID()", () => crypto.randomUUID()],
    ["crypto.randomBytes()", () => randomBytes(4).toString("hex")],
    ["process.hrtime.bigint()", () => String(process.hrtime.bigint())],
  ])("that asks %s is named with the event's type and sequence, and where its value depends on it", (what, ask) => {
    const checked = check((state, { type }) => ({
      seen: state.seen + 1,
      ...(type === "Closed" ? { x: ask() } : {}),
    }));
    expect(checked.holds).toBe(false);
    expect(checked.uses).toEqual([{ what, step: "evolve", eventType: "Closed", seq: 10, aggregateId: "a", times: 3 }]);
    const shifted = checked.partings.find(({ aggregateId, way }) => aggregateId === "b" && way.includes("clock"));
    expect(shifted).toMatchObject({ path: "x", firstEvent: { seq: 11, type: "Closed" } });
  });

  it("leaves clocks and random sources as they were, also where it throws", () => {
    const before = [Date, Date.now, Math.random, performance.now, crypto.randomUUID, process.hrtime, randomBytes];
    check(() => {
      throw new Error("no");
    });
    const after = [Date, Date.now, Math.random, performance.now, crypto.randomUUID, process.hrtime, randomBytes];
    expect(after.every((value, i) => value === before[i])).toBe(true);
    expect(Object.hasOwn(performance, "now")).toBe(false);
  });

  it("that asks the clock and keeps nothing of it is named all the same, in every step", () => {
    const checked = check((state) => state, {
      initial: () => ({ seen: Date.now() * 0 }),
      encode: (state) => (Math.random() > 2 ? null : state),
      upcast: { moved: (payload) => (Date.now() > 0 ? payload : null) },
    });
    expect(checked.partings).toEqual([]);
    expect(checked.uses.map(({ what, step, eventType, times }) => [what, step, eventType, times])).toEqual([
      ["Date.now()", "initial", null, 3],
      ["Date.now()", "evolve", "Moved", 6],
      ["Math.random()", "encode", null, 3],
    ]);
    expect(checked.holds).toBe(false);
  });

  it("that counts in a variable of its own parts at the first event", () => {
    let total = 0;
    const { partings, uses } = check((state) => ({ seen: state.seen + 1, nested: { total: ++total } }));
    expect(uses).toEqual([]);
    const again = partings.filter(({ way }) => way === "again");
    expect(again).toHaveLength(3);
    expect(again[0]).toMatchObject({
      ...{ aggregateId: "a", path: "nested.total", expected: 4, found: 16 },
      firstEvent: { seq: 1, type: "Opened" },
    });
  });

  it("that shares a state between aggregates parts only where they are interleaved", () => {
    let last = "";
    const { partings } = check((state, { aggregateId, type }) => {
      const changed = type === "Moved" && last !== aggregateId;
      last = aggregateId;
      return { seen: state.seen + 1, changed: state.changed === true || changed };
    });
    expect(new Set(partings.map(({ way }) => way))).toEqual(
      new Set(["interleaved with other aggregates", "with its state packed and read back after each event"]),
    );
    expect(partings.find(({ aggregateId }) => aggregateId === "b")).toMatchObject({
      ...{ path: "changed", expected: false, found: true, firstEvent: { seq: 5, type: "Moved" } },
    });
  });

  it("whose state loses something when it is packed parts where it was", () => {
    class Counter {
      n = 0;
      add() {
        this.n += 1;
      }
    }
    const withClass = check((state) => {
      const counter = (state.counter ?? new Counter()) as Counter;
      counter.add();
      return { seen: state.seen + 1, counter };
    });
    expect(withClass.partings.map(({ way, found }) => [way, found])).toContainEqual([
      "with its state packed and read back after each event",
      "refused at sequence 4: counter.add is not a function",
    ]);
    const withFunction = check((state) => ({ seen: state.seen + 1, step: () => 1 }), { encode: ({ seen }) => seen });
    expect(withFunction.partings[0]?.found).toMatch(/^refused at sequence .*: the state cannot be packed/);
  });

  it("that changes the payload it is given is as pure as any", () => {
    const checked = check((state, { payload }) => {
      const { tags } = payload as { tags: string[] };
      tags.push("y");
      return { seen: state.seen + tags.length };
    });
    expect(checked.holds).toBe(true);
  });

  it("that refuses an event holds where it always does, and says so", () => {
    const checked = check((state, { streamSequence }) => {
      if (streamSequence === 5) throw new Error(`bad ${process.pid}`);
      return { seen: state.seen + 1 };
    });
    expect(checked).toMatchObject({ holds: true, refused: [{ aggregateId: "b", seq: 5 }] });
  });
});

describe("a sample", () => {
  let nats: Awaited<ReturnType<typeof startNats>>;
  let client: NatsClient;
  beforeAll(async () => {
    nats = await startNats();
    client = await connectNats({ url: nats.url, name: "test" });
    const events = generateEvents({
      domains: ["graph", "workflow"],
      events: 6_000,
      aggregates: 400,
      skew: 0.8,
      seed: 7,
    });
    await publishEvents(client, { events });
  });
  afterAll(async () => {
    await client.close();
    await nats.stop();
  });

  const take = (
    aggregates: number,
    eventsAnAggregate = 1_000,
    { bytesAnAggregate = 1_000_000, ...settings }: { bytesAnAggregate?: number; subject?: string } = {},
  ) =>
    sampleAggregates({
      ...{ client, domain: "graph", domainSettings: domainSettingsSchema.parse(settings) },
      ...{ aggregates, eventsAnAggregate, bytesAnAggregate, signal: new AbortController().signal },
    });

  it("is the same each time, a smaller one is part of a larger, and holds whole aggregates", async () => {
    const all = await take(1_000_000);
    const some = await take(20);
    expect(all.length).toBeGreaterThan(100);
    expect(some).toHaveLength(20);
    expect(await take(20)).toEqual(some);
    const byId = new Map(all.map((aggregate) => [aggregate.id, aggregate]));
    for (const aggregate of some) expect(aggregate).toEqual(byId.get(aggregate.id));
    const first = await take(1_000_000, 3);
    expect(
      first.every(({ messages, isCut, id }) => isCut === (byId.get(id)?.messages.length ?? 0) > messages.length),
    ).toBe(true);
    expect(Math.max(...first.map(({ messages }) => messages.length))).toBe(3);
  });

  it("is bounded in bytes too: of each aggregate what fits, from its first event on, and that it is cut is known", async () => {
    const byId = new Map((await take(1_000_000)).map((aggregate) => [aggregate.id, aggregate]));
    const cut = await take(1_000_000, 1_000, { bytesAnAggregate: 2_000 });
    const bytesOf = (messages: (typeof cut)[number]["messages"]) =>
      messages.reduce((sum, { data }) => sum + data.length, 0);
    for (const { id, messages, isCut } of cut) {
      const all = byId.get(id)?.messages ?? [];
      expect(messages.length === 1 || bytesOf(messages) <= 2_000).toBe(true);
      expect(messages).toEqual(all.slice(0, messages.length));
      expect(isCut).toBe(all.length > messages.length);
    }
    expect(cut.some(({ isCut }) => isCut)).toBe(true);
    const tiny = await take(1_000_000, 1_000, { bytesAnAggregate: 1 });
    expect(tiny.every(({ messages }) => messages.length === 1)).toBe(true);
  });

  it("is the same where the id comes from the envelope", async () => {
    const bySubject = await take(15);
    expect(await take(15, 1_000, { subject: "events.{domain}.*.{event_type}" })).toEqual(bySubject);
  });

  it("is refused where there is none", async () => {
    await expect(
      sampleAggregates({
        ...{ client, domain: "none", domainSettings, aggregates: 1, eventsAnAggregate: 1, bytesAnAggregate: 1 },
        signal: new AbortController().signal,
      }),
    ).rejects.toThrow("stream EVENTS holds none");
  });

  it.each([...builtinProjections.keys()])(
    "of real events finds the built-in projection %s deterministic",
    async (name) => {
      const projection = builtinProjections.get(name);
      if (!projection) throw new Error(name);
      const domain = name === "workflow" ? "workflow" : "graph";
      const taken = await sampleAggregates({
        ...{ client, domain, domainSettings, aggregates: 60, eventsAnAggregate: 500, bytesAnAggregate: 1e6 },
        signal: new AbortController().signal,
      });
      const checked = checkDeterminism(taken, { domain, domainSettings, projection: compileProjection(projection) });
      expect(checked).toMatchObject({ holds: true, aggregates: 60, uses: [], partings: [], refused: [] });
    },
  );
});
