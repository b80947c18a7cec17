import {
  compileDomain,
  compileProjection,
  type DomainCodec,
  defineProjection,
  domainSettingsSchema,
  isMalformed,
  type Projection,
} from "@cim-replay/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { packCheckpoint, unpackCheckpoint } from "./checkpoint-codec.ts";
import { type Aggregates, AggregateTable } from "./aggregate-table.ts";
import { shareDecoding } from "./share-decoding.ts";
import { accountedFor, eventOf, foldOf, messageOf } from "./unit-fold.fixture.ts";

const codec = compileDomain("graph", domainSettingsSchema.parse({}));

/** Keeps what it is given and changes it with every later event; refuses what its name asks for, half changed. */
function hoarder(name: string): Projection {
  return defineProjection<{ kept: Record<string, unknown>[] }>({
    name,
    initial: () => ({ kept: [] }),
    evolve(state, event) {
      const payload = event.payload as Record<string, unknown>;
      for (const kept of state.kept) (kept.tags as unknown[])?.push(name);
      state.kept.push(payload, event.metadata as Record<string, unknown>);
      payload[name] = state.kept.length;
      if (payload.refusedBy === name) throw new Error(`${name} refuses it`);
      return state;
    },
  }) as unknown as Projection;
}

const names = ["one", "two", "three"] as const;
const anEvent = fc.record({
  id: fc.constantFrom("a", "b", "c"),
  refusedBy: fc.option(fc.constantFrom(...names), { freq: 6 }),
  tags: fc.array(fc.integer(), { maxLength: 3 }),
});

function messagesOf(events: readonly (typeof anEvent extends fc.Arbitrary<infer T> ? T : never)[], bad: number) {
  return events.map(({ id, refusedBy, tags }, i) =>
    i === bad
      ? messageOf(`events.graph.${id}.Happened`, i + 1, "{")
      : eventOf(id, i + 1, { payload: { refusedBy, tags }, metadata: { tags: [...tags] } }),
  );
}

function foldsOf(codecs: readonly DomainCodec[], skipErrors: number) {
  return names.map((name, at) =>
    foldOf({ codec: codecs[at] ?? codec, projection: compileProjection(hoarder(name)), skipErrors }),
  );
}

describe("several folds over the same messages", () => {
  it("come each to what it would alone, whatever the others keep, change or refuse", () => {
    const some = fc.array(anEvent, { maxLength: 40 });
    fc.assert(
      fc.property(some, fc.nat(60), fc.nat(3), (events, bad, skipErrors) => {
        const together = foldsOf(shareDecoding(codec, names.length), skipErrors);
        for (const message of messagesOf(events, bad)) for (const fold of together) fold.take(message);
        const alone = foldsOf(
          names.map(() => codec),
          skipErrors,
        );
        for (const fold of alone) for (const message of messagesOf(events, bad)) fold.take(message);
        for (const [at, fold] of together.entries()) {
          expect(fold.counts).toEqual(alone[at]?.counts);
          expect(accountedFor(fold)).toBe(events.length);
          expect(fold.aggregates.all()).toEqual(alone[at]?.aggregates.all());
          expect(fold.badEvents.map(({ reason, kind }) => ({ reason, kind }))).toEqual(
            alone[at]?.badEvents.map(({ reason, kind }) => ({ reason, kind })),
          );
          expect(fold.toSkip).toEqual(alone[at]?.toSkip);
        }
      }),
    );
  });

  it("decode each message once", () => {
    let decoded = 0;
    const counting: DomainCodec = {
      ...codec,
      decode: (message, routeKey) => {
        decoded += 1;
        return codec.decode(message, routeKey);
      },
    };
    const folds = foldsOf(shareDecoding(counting, names.length), 0);
    for (let seq = 1; seq <= 9; seq++) for (const fold of folds) fold.take(eventOf("a", seq, { payload: { seq } }));
    expect(decoded).toBe(9);
  });

  it("are checkpointed together, and each gets its own states back", () => {
    const folds = foldsOf(shareDecoding(codec, names.length), 0);
    const events = [{ id: "a" }, { id: "b", refusedBy: "two" }, { id: "b" }, { id: "c" }] as const;
    for (const [i, { id, ...payload }] of events.entries()) {
      for (const fold of folds) fold.take(eventOf(id, i + 1, { payload: { ...payload, tags: [] } }));
    }
    const [first, ...others] = folds.map(({ counts, deliveredByPartition, firstParkedSeq, parkedAggregates }) => ({
      ...{ counts, deliveredByPartition, firstParkedSeq, parkedAggregates },
    }));
    if (!first) throw new Error("no fold");
    const meta = { ...first, deliveredBySlice: [4], content: [], otherTargets: others };
    const states = folds.map(({ aggregates }) => ({ aggregates: aggregates.all(), knownBelow: 0 }));
    const tables = folds.map(() => new AggregateTable("graph"));
    const [restored] = [...packCheckpoint(states, meta, 900_000)].map((chunk) => unpackCheckpoint(chunk, tables));
    expect(restored).toEqual(meta);
    expect(restored?.otherTargets?.map(({ parkedAggregates }) => parkedAggregates)).toEqual([1, 0]);
    for (const [at, table] of tables.entries()) {
      const plain = (of: Aggregates) =>
        Array.from(of.all(), ({ id, events: n, parked, state }) => ({ id, n, parked, state }));
      expect(plain(table)).toEqual(plain(folds[at]?.aggregates ?? table));
    }
    expect(() =>
      [...packCheckpoint(states, meta, 900_000)].map((chunk) => unpackCheckpoint(chunk, tables.slice(0, 2))),
    ).toThrow(/more targets than the run has/);
  });
});

describe("a copy of an event", () => {
  it("is the same event, with nothing of its own in common", () => {
    const payload = JSON.parse('{"a":[1,{"b":null}],"__proto__":{"x":1},"n":1.5}') as object;
    const event = codec.decode(eventOf("a", 3, { payload, metadata: { m: [1] }, event_id: "e" }), "a");
    if (isMalformed(event)) throw new Error(event.reason);
    const copy = codec.copy(event);
    expect(copy).toEqual(event);
    expect(JSON.stringify(copy)).toBe(JSON.stringify(event));
    expect([copy.timestampMs, copy.cid, copy.headers]).toEqual([event.timestampMs, event.cid, event.headers]);
    (copy.payload as { a: unknown[] }).a.push(2);
    (copy.metadata as { m: unknown[] }).m.push(2);
    expect(event).toMatchObject({ payload: { a: [1, { b: null }] }, metadata: { m: [1] } });
    expect(Object.getPrototypeOf(copy.payload)).toBe(Object.prototype);
  });
});
