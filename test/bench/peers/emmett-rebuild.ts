import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { generateEvents } from "@cim-replay/testkit";
import { DOMAIN } from "../dataset.ts";
import type { OwnFigures, ProbeTask } from "../probe-task.ts";
import { type FlatEnvelope, flatProjection, replayEvent } from "../probes/consume-and-fold.ts";
import { runTask, startClock } from "../probes/run-task.ts";

interface EmmettEvent {
  readonly type: string;
  readonly data: FlatEnvelope;
}

interface Document {
  readonly state: unknown;
}

/** What is used of `@event-driven-io/emmett-postgresql`, which need not be there when this file is checked. */
interface Emmett {
  getPostgreSQLEventStore(url: string): {
    appendToStream(name: string, events: readonly EmmettEvent[]): Promise<unknown>;
    close(): Promise<void>;
  };
  pongoSingleStreamProjection(definition: {
    collectionName: string;
    version: number;
    canHandle: readonly string[];
    getDocumentId(event: EmmettEvent): string;
    evolve(document: Document | null, event: EmmettEvent): Document;
  }): unknown;
  rebuildPostgreSQLProjections(options: { connectionString: string; projections: readonly unknown[] }): {
    start(): Promise<void>;
    close(): Promise<void>;
  };
}

interface Pg {
  readonly default: {
    Client: new (
      url: string,
    ) => {
      connect(): Promise<void>;
      query(sql: string): Promise<{ rows: readonly { documents: string; events: string }[] }>;
      end(): Promise<void>;
    };
  };
}

const { EMMETT_MODULES = "", POSTGRES_URL = "" } = process.env;
const COLLECTION = "states";
const SEED = 7;

/**
 * emmett as released, rebuilding the same flat projection from its own event store: events of as long lives as the
 * stream's. Only the rebuild is timed, not the appending.
 */
async function rebuild(_: unknown, task: ProbeTask): Promise<OwnFigures> {
  const emmett = await load<Emmett>("@event-driven-io/emmett-postgresql");
  const types = await append(emmett, task);
  const projection = flatProjection();
  const definition = emmett.pongoSingleStreamProjection({
    collectionName: COLLECTION,
    version: 1,
    canHandle: types,
    getDocumentId: ({ data }) => data.aggregate_id,
    evolve: (document, { data }) => {
      const before = document?.state ?? projection.initial(data.aggregate_id);
      return { state: projection.evolve(before, replayEvent(data, data.sequence)) };
    },
  });
  const clock = startClock();
  const consumer = emmett.rebuildPostgreSQLProjections({ connectionString: POSTGRES_URL, projections: [definition] });
  await consumer.start();
  const figures = clock();
  await consumer.close();
  await requireWhole(task.events);
  return figures;
}

/** Appends each aggregate's events to a stream of its own, and returns the types there are. */
async function append(emmett: Emmett, { events, aggregates, eventBytes }: ProbeTask): Promise<string[]> {
  const streams = new Map<string, EmmettEvent[]>();
  const types = new Set<string>();
  const like = { domains: [DOMAIN], skew: 0, seed: SEED };
  for (const { data, aggregateId } of generateEvents({ ...like, events, aggregates, eventBytes })) {
    const envelope = JSON.parse(Buffer.from(data).toString()) as FlatEnvelope;
    const list = streams.get(aggregateId) ?? [];
    list.push({ type: envelope.event_type, data: envelope });
    streams.set(aggregateId, list);
    types.add(envelope.event_type);
  }
  const store = emmett.getPostgreSQLEventStore(POSTGRES_URL);
  for (const [aggregateId, list] of streams) await store.appendToStream(`graph-${aggregateId}`, list);
  await store.close();
  return [...types];
}

/** A rebuild that leaves something out is no measurement. */
async function requireWhole(events: number): Promise<void> {
  const { default: pg } = await load<Pg>("pg");
  const client = new pg.Client(POSTGRES_URL);
  await client.connect();
  const sql = `select count(*) as documents, sum((data->'state'->>'events')::int) as events from ${COLLECTION}_v1`;
  const { rows } = await client.query(sql);
  await client.end();
  if (Number(rows[0]?.events) === events) return;
  throw new Error(`Cannot measure emmett: of ${events} events, ${rows[0]?.events} are in its documents.`);
}

async function load<Module>(name: string): Promise<Module> {
  const { resolve } = createRequire(join(EMMETT_MODULES, "package.json"));
  return (await import(pathToFileURL(resolve(name)).href)) as Module;
}

await runTask(rebuild);
