import { canonicalJson, compileProjection, defineProjection, entryKey, type ReplayEvent } from "@cim-replay/core";
import { expect, test } from "vitest";
import { generateEvents } from "./generator/generate-events.ts";
import { referenceFold } from "./reference-fold.ts";

/** Keeps everything in order: any difference in what is folded, or in which order, shows. */
const keepAll = defineProjection<{ id: string; events: unknown[] }>({
  name: "keep-all",
  initial: (id) => ({ id, events: [] }),
  evolve: (state, { type, payload, sequence, timestamp, eventId, correlationId }) => {
    state.events.push({ type, payload, sequence, timestamp, eventId, correlationId });
    return state;
  },
});

const message = (seq: number, id: string, event_type: string, payload: unknown, domain = "graph") => ({
  seq,
  subject: `events.${domain}.x.${event_type}`,
  data: Buffer.from(JSON.stringify({ aggregate_id: id, event_type, payload, timestamp: "2025-01-01T00:00:00Z" })),
});

test("comes to what the compiled projection comes to", async () => {
  const options = { domains: ["graph", "person"], events: 3_000, aggregates: 40, skew: 1, seed: 3 };
  const messages = Array.from(generateEvents(options), ({ subject, data }, i) => ({ seq: i + 1, subject, data }));
  const projection = compileProjection(keepAll);
  const states = new Map<string, unknown>();
  for (const { subject, data, seq } of messages) {
    if (!subject.startsWith("events.graph.")) continue;
    const envelope = JSON.parse(data.toString()) as Record<string, string>;
    const event = {
      type: envelope.event_type,
      payload: envelope.payload,
      sequence: envelope.sequence,
      timestamp: envelope.timestamp,
      eventId: envelope.event_id,
      correlationId: envelope.correlation_id,
      streamSequence: seq,
    } as unknown as ReplayEvent;
    const id = envelope.aggregate_id ?? "";
    states.set(id, projection.apply(states.get(id) ?? projection.initial(id), event));
  }
  const expected = new Map([...states].map(([id, state]) => [entryKey("graph", id), projection.encode(state)]));
  expect(await referenceFold(messages, keepAll, { domain: "graph" })).toEqual(expected);
  expect(expected.size).toBe(20);
});

test("writes keys and values as the product does, by code of its own", async () => {
  const payload = { "10": 1, "9": [undefined, null, -0, 1e21], é: "\u2028\ud83d\ude00", __proto: { b: 1, a: "\n" } };
  const id = "a.b=c é/1_2-3";
  const folded = await referenceFold([message(1, id, "NodeAdded", payload)], keepAll, { domain: "graph" });
  const [[key, value] = ["", ""]] = folded;
  expect(key).toBe(entryKey("graph", id));
  expect(value).toBe(canonicalJson(JSON.parse(value)));
  expect(value).toContain('"10":1,"9":[null,null,0,1e+21]');
});

test("upcasts by type, and leaves out bad events only where it may", async () => {
  const projection = defineProjection<{ names: unknown[] }>({
    name: "names",
    initial: () => ({ names: [] }),
    evolve: (state, { payload }) => {
      if (payload === "bad") throw new Error("bad event");
      return { names: [...state.names, payload] };
    },
    upcast: { Old: (payload) => `new ${String(payload)}` },
  });
  const messages = [message(1, "a", "Old", "x"), message(2, "a", "New", "bad"), message(3, "a", "New", "y")];
  await expect(referenceFold(messages, projection, { domain: "graph" })).rejects.toThrow("bad event");
  const folded = await referenceFold(messages, projection, { domain: "graph", skipErrors: true });
  expect([...folded]).toEqual([["graph.a", '{"names":["new x","y"]}']]);
});
