import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { orderProjection } from "../support/order-projection.ts";
import { openStage, SOURCES, type Stage, type StagedEvent } from "../support/stage.ts";

/** The single-threaded fold of the same events: its own grouping and its own JSON, only `evolve` is shared. */
function foldPlainly(events: readonly StagedEvent[]): Map<string, string> {
  const states = new Map<string, ReturnType<typeof orderProjection.initial>>();
  for (const [i, event] of events.entries()) {
    const state = states.get(event.id) ?? orderProjection.initial(event.id);
    const seen = { type: event.type, payload: event.payload, streamSequence: i + 1 };
    states.set(event.id, orderProjection.evolve(state, seen as Parameters<typeof orderProjection.evolve>[1]));
  }
  const entries = [...states].map(([id, { fingerprint, seen, total }]): [string, string] => [
    `shop.${id}`,
    `{"fingerprint":${fingerprint},"seen":[${seen.map((type) => `"${type}"`).join(",")}],"total":${total}}`,
  ]);
  return new Map(entries.sort());
}

const event = fc.record({
  id: fc.constantFrom(...Array.from({ length: 23 }, (_, i) => `a${i}`), "hot", "hot", "hot", "hot"),
  type: fc.constantFrom("Added", "Moved", "Removed"),
  payload: fc.oneof(
    fc.record({ n: fc.integer(), text: fc.string({ maxLength: 20 }) }),
    fc.constant(JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":2}}')),
    fc.constant({ deep: { deeper: { deepest: [[[]]] } } }),
  ),
});

const way = fc.record({
  parallel: fc.integer({ min: 1, max: 9 }),
  units: fc.option(fc.integer({ min: 1, max: 6 })),
  batchSize: fc.constantFrom(1, 7, 100, 5000),
  prefetch: fc.constantFrom(1, 50, 10_000),
  checkpointInterval: fc.constantFrom(null, 1, 13, 250),
});

describe.each(SOURCES)("a replay's bytes (%s)", (source) => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage({
      natsUrl: inject("natsUrl"),
      redisUrl: inject("redisUrl"),
      projection: orderProjection as never,
      source,
    });
    await stage.addWorkers(3);
  });
  afterAll(() => stage.close());

  it("are those of a single-threaded fold, whatever the partitions, units, batches, prefetch and checkpoints", async () => {
    const published: StagedEvent[] = [];
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 400 }), way, async (events, settings) => {
        await stage.publish(events);
        published.push(...events);
        const target = `${stage.bucket}-${round++}`;
        const ended = await stage.run({ ...settings, target });
        expect(ended.reason).toBeNull();
        expect(ended.state).toBe("completed");
        expect(ended.summary?.events).toBe(published.length);
        expect(new Map([...(await stage.entries(target))].sort())).toEqual(foldPlainly(published));
      }),
      { numRuns: 25, endOnFailure: true },
    );
  });
});
