import { hash } from "node:crypto";
import {
  compileDomain,
  compileProjection,
  DeletedSequences,
  domainSettingsSchema,
  emptyCounts,
  newUnitRecord,
  type Plan,
  type PlannedUnit,
  type Projection,
  partitionHashesEvenly,
  partitionRouter,
  type StreamMessage,
  tileSlices,
  type UnitRecord,
} from "@cim-replay/core";
import { deletionsSha256, type StreamFacts } from "@cim-replay/nats";
import { accountsOfReading } from "./accounts.ts";
import { EntryTable } from "./entry-table.ts";
import { ContentChains } from "./content-chain.ts";
import { checkContent, recordedContent } from "./content.ts";
import { checkCounts } from "./counts.ts";
import { checkCoverage } from "./coverage.ts";
import { Discrepancies } from "./discrepancies.ts";
import { type DigestedEntry, EntriesChain, type EntriesDigest } from "./entries-chain.ts";
import { checkReadBack } from "./read-back.ts";
import { compareValues } from "./refold.ts";
import { StreamFold } from "./stream-fold.ts";
import { presentTerms, type Terms } from "./terms.ts";
import type { Witness } from "./witness.ts";

const RUN = "run-1";
export const codec = compileDomain(
  "shop",
  domainSettingsSchema.parse({ subject: "s.{domain}.{aggregate_id}.{event_type}" }),
);

interface State {
  total: number;
  text: string;
}

/** Any event that is lost, doubled, changed or out of order gives another value. */
const projection = compileProjection({
  name: "chain",
  initial: (): State => ({ total: 0, text: "" }),
  evolve: (state, event) => ({
    total: state.total + 1,
    text: hash("sha256", state.text + JSON.stringify(event.payload)),
  }),
} satisfies Projection<State> as unknown as Projection);

export interface FakeMessage {
  seq: number;
  subject: string;
  data: Uint8Array;
}

/** A stream, the run that replayed it, and the bucket that it wrote: mutable, so that a test can tamper with each. */
export interface World {
  messages: FakeMessage[];
  /** As the server's index has it: by aggregate. */
  index: Map<string, number>;
  /** Values by key, and what their headers say. */
  values: Map<string, { text: string; stated: { run: string; sha256: string; lastSeq: number; events: number } }>;
  plan: Plan;
  units: UnitRecord[];
  deleted: DeletedSequences;
  stream: StreamFacts;
  random: () => number;
}

function randomOf(seed: number): () => number {
  let state = seed * 0x9e3779b9;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** An honest one; of an odd seed, with events shuffled, and a unit of several partitions split since. */
export function makeWorld(seed: number): World {
  const random = randomOf(seed);
  const below = (n: number) => Math.floor(random() * n);
  const first = 1 + below(40_000);
  const aggregates = 2 + below(8);
  const messages: FakeMessage[] = [];
  const gone: number[] = [];
  const last = first + 20 + below(60);
  for (let seq = first; seq <= last; seq++) {
    if (random() < 0.1 && seq > first && seq < last) gone.push(seq);
    else if (random() < 0.1) messages.push({ seq, subject: `other.${seq}`, data: Buffer.from("x") });
    else messages.push({ seq, subject: "", data: eventOf(below(aggregates), seq) });
  }
  for (const message of messages) {
    if (message.subject === "") message.subject = `s.shop.${JSON.parse(`${message.data}`).aggregate_id}.Added`;
  }
  const range = { fromSeq: first, toSeq: last };
  return runOver(messages, DeletedSequences.fromList(gone, range), range, random, seed % 2 === 1);
}

function eventOf(aggregate: number, seq: number): Buffer {
  const payload = { n: 100_000 + seq, word: "abcdefgh" };
  const envelope = { aggregate_id: `a${aggregate}`, event_type: "Added", payload, timestamp: "2026-01-01T00:00:00Z" };
  return Buffer.from(JSON.stringify(envelope));
}

function runOver(
  messages: FakeMessage[],
  deleted: DeletedSequences,
  range: { fromSeq: number; toSeq: number },
  random: () => number,
  isShuffled: boolean,
): World {
  const plan = planOf(deleted, range, 1 + Math.floor(random() * 4), isShuffled);
  const world: World = {
    ...{ messages, deleted, plan, random, index: new Map(), values: new Map(), units: [] },
    stream: { name: "S", created: "then", firstSeq: range.fromSeq, lastSeq: range.toSeq } as StreamFacts,
  };
  const states = new Map<string, { state: unknown; events: number; lastSeq: number }>();
  for (const message of messages) {
    const key = codec.route(message.subject);
    if (!key) continue;
    const at = states.get(key) ?? { state: projection.initial(key), events: 0, lastSeq: 0 };
    const event = codec.decode(asMessage(message), key);
    if ("malformed" in event) throw new Error("malformed");
    states.set(key, { state: projection.apply(at.state, event), events: at.events + 1, lastSeq: message.seq });
    world.index.set(key, at.events + 1);
  }
  for (const [id, { state, events, lastSeq }] of states) {
    const text = projection.encode(state);
    world.values.set(`shop.${id}`, { text, stated: { run: RUN, sha256: hash("sha256", text), lastSeq, events } });
  }
  world.units = unitsOf(world);
  return world;
}

function planOf(
  deleted: DeletedSequences,
  range: { fromSeq: number; toSeq: number },
  parallel: number,
  isShuffled: boolean,
): Plan {
  const slices = tileSlices(range, 17);
  const partitioning = partitionHashesEvenly(parallel);
  const indexes = partitioning.partitions.map(({ index }) => index);
  return {
    version: 1,
    runId: RUN,
    domain: "shop",
    stream: { name: "S", created: "then", firstSeq: range.fromSeq, lastSeq: range.toSeq },
    range,
    deleted: { count: deleted.count, sha256: deletionsSha256(deleted) },
    read: { filterSubjects: [], messages: 0, reason: "" },
    source: { kind: isShuffled ? "shuffle" : "direct", reason: "" },
    ...partitioning,
    slices,
    units: [
      ...shares(
        indexes.filter((index) => index % 2 === 0),
        isShuffled,
      ),
      { id: "u1", partitions: indexes.filter((index) => index % 2 === 1) },
    ].filter(({ partitions }) => partitions.length > 0),
    sliceUnits: isShuffled ? slices.map((_, slice) => ({ id: `s${slice}`, slice })) : [],
    expected: null,
    target: { bucket: "B", lastRevision: 0 },
    estimate: { seconds: 0, bytes: 0, microsPerEvent: 0 },
    warnings: [],
  };
}

function shares(partitions: number[], isSplit: boolean): PlannedUnit[] {
  const [first = 0, ...rest] = partitions;
  if (!isSplit || rest.length === 0) return [{ id: "u0", partitions }];
  return [
    { id: "u0a", partitions: [first] },
    { id: "u0b", partitions: rest },
  ];
}

/** The unit of the plan, before any was split, and its partitions. */
function plannedFor({ units }: Plan, id: string): PlannedUnit {
  const planned = id.slice(0, 2);
  return {
    id: planned,
    partitions: units.filter((unit) => unit.id.startsWith(planned)).flatMap((unit) => unit.partitions),
  };
}

function unitsOf({ plan, messages, deleted, values }: World): UnitRecord[] {
  const partitionOf = partitionRouter(plan);
  const chains = new ContentChains(plan.partitions.length);
  for (const message of messages) {
    const key = codec.route(message.subject);
    if (key) chains.add(partitionOf(key), asMessage(message));
  }
  const content = chains.end();
  const folders = plan.units.map(({ id, partitions }) => {
    const inPartitions = (of: readonly number[]) =>
      messages.filter(({ subject }) => {
        const key = codec.route(subject);
        return key && of.includes(partitionOf(key));
      });
    const applied = inPartitions(partitions).length;
    const foreign = messages.filter(({ subject }) => !codec.route(subject)).length;
    const isShuffled = plan.source.kind === "shuffle";
    const planned = plannedFor(plan, id);
    const handed = isShuffled ? inPartitions(planned.partitions) : messages;
    const heirOf = {
      unit: "u0",
      planned: "u0",
      partitions: planned.partitions,
      own: partitions,
      takesRest: id === "u0a",
    };
    return {
      ...newUnitRecord(RUN, id, plan.slices.length, partitions.length),
      state: "done" as const,
      heirOf: id === planned.id ? null : { ...heirOf, checkpoints: [] },
      counts: isShuffled
        ? { ...emptyCounts(), delivered: handed.length, applied, elsewhere: handed.length - applied }
        : {
            ...emptyCounts(),
            ...{ delivered: messages.length, deleted: deleted.count, foreign, applied },
            elsewhere: messages.length - foreign - applied,
          },
      deliveredBySlice: plan.slices.map((slice) => within(handed, slice).length),
      deliveredByPartition: partitions.map((partition) => content[partition]?.events ?? 0),
      contentByPartition: partitions.map((partition) => content[partition] ?? { events: 0, sha256: "" }),
      entriesByPartition: partitions.map((partition) =>
        digestOf(
          [...values]
            .filter(([key]) => partitionOf(key.slice("shop.".length)) === partition)
            .map(([key, { text, stated }]) => ({ key, sha256: hash("sha256", text), ...pick(stated) })),
        ),
      ),
    };
  });
  return [...plan.sliceUnits.map((unit) => sliceUnitOf(unit, { plan, messages, deleted }, partitionOf)), ...folders];
}

function within(messages: readonly FakeMessage[], { fromSeq, toSeq }: { fromSeq: number; toSeq: number }) {
  return messages.filter(({ seq }) => seq >= fromSeq && seq <= toSeq);
}

function sliceUnitOf(
  { id, slice: at }: Plan["sliceUnits"][number],
  { plan, messages, deleted }: Pick<World, "plan" | "messages" | "deleted">,
  partitionOf: (key: string) => number,
): UnitRecord {
  const slice = plan.slices[at] ?? { fromSeq: 0, toSeq: 0 };
  const read = within(messages, slice);
  const routed = read.map(({ subject }) => codec.route(subject)).filter((key) => typeof key === "string");
  const foreign = read.length - routed.length;
  const deliveredByPartition = plan.partitions.map(
    ({ index }) => routed.filter((key) => partitionOf(key) === index).length,
  );
  return {
    ...newUnitRecord(RUN, id, plan.slices.length, plan.partitions.length, "slice"),
    state: "done",
    counts: {
      ...emptyCounts(),
      ...{ delivered: read.length, deleted: deleted.countWithin(slice), foreign, elsewhere: routed.length },
    },
    deliveredBySlice: plan.slices.map((_, other) => (other === at ? read.length : 0)),
    deliveredByPartition,
    packed: [...new Set(plan.units.map((unit) => plannedFor(plan, unit.id).id))].map((unit) => {
      const { partitions } = plannedFor(plan, unit);
      const events = partitions.reduce((sum, index) => sum + (deliveredByPartition[index] ?? 0), 0);
      return { unit, segments: 1, events, bytes: 1, sha256: "" };
    }),
  };
}

function digestOf(entries: readonly DigestedEntry[]): EntriesDigest {
  const chain = new EntriesChain();
  for (const entry of entries.toSorted((a, b) => (a.key < b.key ? -1 : 1))) chain.add(entry);
  return chain.end();
}

function pick({ lastSeq, events }: { lastSeq: number; events: number }) {
  return { lastSeq, events };
}

function asMessage(message: FakeMessage): StreamMessage {
  return { ...message, receivedAtMs: 0, headers: undefined };
}

/** All five checks on what the world holds now. */
export async function judge(world: World): Promise<Discrepancies> {
  const found = new Discrepancies();
  const { plan, units } = world;
  const { range } = plan;
  const entries = entriesOf(world);
  const terms: Terms = { ...presentTerms(range.fromSeq, range.toSeq), ...known };
  const partitionOf = partitionRouter(plan);
  const fold = new StreamFold({
    ...{ domain: "shop", codec, aggregateId: null, range, partitionOf, digest: true, projection, entries, found },
    ...{ partitions: plan.partitions.length, projectionSha256: "p", termsOf: () => terms, defaultTerms: terms },
  });
  for (const message of world.messages) fold.take(asMessage(message));
  const content = fold.contentByPartition();
  checkCoverage(
    {
      run: { plan, units, aggregateId: null, filter: null, quarantined: 0 },
      stream: world.stream,
      deleted: world.deleted,
      ...{ account: null, expired: 0 },
    },
    found,
  );
  checkCounts(
    {
      ...{ witness: witnessOf(world), entries, fold, partitionOf, toSeq: range.toSeq, readFromStart: true },
      ...{ expired: new Set<string>(), isRangeWhole: true },
      ...{ isCountable: () => true, termsOf: () => terms, run: { plan, units }, keyOf: (id) => `shop.${id}` },
      route: codec.route,
    },
    found,
  );
  checkContent(recordedContent(plan, units), content, found);
  checkReadBack(
    {
      ...{
        entries,
        accounts: accountsOfReading(fold),
        termsOf: () => terms,
        keepsOrphans: false,
        othersMayWrite: false,
        expired: new Set<string>(),
        wasRestored: false,
        partitionOf: ({ id }) => partitionOf(id ?? ""),
      },
      run: { id: RUN, createdAt: "2026", plan, units, isWhole: true, wentOn: false },
    },
    found,
  );
  const refold = { aggregates: fold.aggregates, projection, projectionSha256: "p" };
  const { mismatches } = await compareValues(
    { ...refold, expired: new Set(), signal: new AbortController().signal },
    found,
  );
  for (const { key } of mismatches) found.add("value", `${key} differs`, { key });
  return found;
}

const known = { run: RUN, isKnown: true, createdAt: "2026", projectionSha256: "p" };

function entriesOf({ values }: World): EntryTable {
  const table = new EntryTable("shop");
  for (const [at, [key, { text, stated }]] of [...values].entries()) {
    const sha256 = hash("sha256", text);
    table.set({ key, id: key.slice("shop.".length), revision: at + 1, sha256, canonicalSha256: sha256, stated });
  }
  return table;
}

function witnessOf({ index }: World): Witness {
  return {
    knowsFromSeq: 0,
    keys: () => index.keys(),
    upTo: (key) => ({ min: index.get(key) ?? 0, max: index.get(key) ?? 0 }),
  };
}
