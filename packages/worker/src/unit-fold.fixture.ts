import {
  compileDomain,
  compileProjection,
  defineProjection,
  domainSettingsSchema,
  type Projection,
  type StreamMessage,
} from "@cim-replay/core";
import { AggregateTable } from "./aggregate-table.ts";
import { ContentDigest } from "./content-digest.ts";
import { UnitFold, type UnitFoldOptions } from "./unit-fold.ts";

/** Midnight of 2026, when the first message is received; each comes a second after the one before. */
export const START_MS = Date.UTC(2026, 0, 1);

/** Keeps the payloads that it was given; refuses `{ bad: true }` after having half changed its state. */
const payloads = defineProjection<{ seen: unknown[] }>({
  name: "payloads",
  initial: () => ({ seen: [] }),
  evolve(state, { payload }) {
    state.seen.push(payload);
    if (typeof payload === "object" && payload !== null && "bad" in payload) throw new Error("no such payload");
    return state;
  },
});

/** A flat event of `events.graph.{id}.Happened`; `fields` are the envelope's. */
export function eventOf(id: string, seq: number, fields: Record<string, unknown> = {}): StreamMessage {
  const timestamp = new Date(START_MS + seq * 1000).toISOString();
  return messageOf(`events.graph.${id}.Happened`, seq, { aggregate_id: id, payload: seq, timestamp, ...fields });
}

export function messageOf(subject: string, seq: number, body: unknown): StreamMessage {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return { seq, subject, receivedAtMs: START_MS + seq * 1000, data: Buffer.from(text), headers: undefined };
}

export function foldOf(changes: Partial<UnitFoldOptions> & { subject?: string } = {}): UnitFold {
  const { subject, ...options } = changes;
  return new UnitFold({
    aggregates: new AggregateTable("graph"),
    digest: new ContentDigest(changes.partitions ?? 1, 1, null),
    codec: compileDomain("graph", domainSettingsSchema.parse(subject === undefined ? {} : { subject })),
    projection: compileProjection(payloads as Projection),
    partitionOf: () => 0,
    partitions: 1,
    takesNameless: true,
    fromTimeMs: null,
    toTimeMs: null,
    filter: null,
    skipErrors: 0,
    badSequences: new Set(),
    careful: new Set(),
    ...options,
  });
}

export function takeAll(fold: UnitFold, messages: readonly StreamMessage[]): UnitFold {
  for (const message of messages) fold.take(message);
  return fold;
}

/** Every message must be accounted for once. */
export function accountedFor({ counts }: UnitFold): number {
  const { foreign, elsewhere, filtered, alreadyApplied, applied, quarantined, parked } = counts;
  return foreign + elsewhere + filtered + alreadyApplied + applied + quarantined + parked;
}

/** By aggregate id, what was folded into its state. */
export function states(fold: UnitFold): Record<string, unknown> {
  return Object.fromEntries(
    Array.from(fold.aggregates.all(), ({ id, state }) => [id, (state as { seen: unknown })?.seen]),
  );
}
