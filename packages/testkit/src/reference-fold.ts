import type { Projection, ReplayEvent } from "@cim-replay/core";

export interface ReferenceOptions {
  /** Messages of other domains are passed over. */
  readonly domain: string;
  /** Leaves out events that `evolve` throws on, and goes on with their aggregate. */
  readonly skipErrors?: boolean;
}

interface Message {
  readonly seq: number;
  readonly subject: string;
  readonly data: Uint8Array;
}

interface FlatEnvelope {
  readonly event_id?: string | null;
  readonly aggregate_id: string;
  readonly aggregate_type?: string | null;
  readonly sequence?: number | null;
  readonly event_type: string;
  readonly payload: unknown;
  readonly timestamp: string;
  readonly correlation_id?: string | null;
  readonly causation_id?: string | null;
  readonly metadata?: Record<string, unknown> | null;
}

/**
 * What a replay must come to: the canonical JSON text of each entry by its key. One thread, one Map, the default subjects
 * and flat envelope only, upcasters by the exact type. Shares nothing with the pipeline but the projection's functions, so
 * it can bear witness for it.
 */
export async function referenceFold<State>(
  messages: Iterable<Message> | AsyncIterable<Message>,
  projection: Projection<State>,
  options: ReferenceOptions,
): Promise<Map<string, string>> {
  const states = new Map<string, State>();
  for await (const message of messages) {
    if (message.subject.split(".")[1] !== options.domain) continue;
    const event = readFlatEvent(message, options.domain);
    const before = states.has(event.aggregateId)
      ? (states.get(event.aggregateId) as State)
      : projection.initial(event.aggregateId);
    states.set(event.aggregateId, before);
    try {
      states.set(event.aggregateId, evolve(projection, before, event));
    } catch (error) {
      if (!options.skipErrors) throw error;
    }
  }
  return new Map(
    [...states].map(([id, state]) => [
      `${escaped(options.domain)}.${escaped(id)}`,
      sortedJson(projection.encode ? projection.encode(state) : state),
    ]),
  );
}

function evolve<State>(projection: Projection<State>, state: State, event: ReplayEvent): State {
  const upcast = projection.upcast?.[event.type];
  return projection.evolve(state, upcast ? { ...event, payload: upcast(event.payload, event) } : event);
}

function readFlatEvent({ seq, data }: Message, domain: string): ReplayEvent {
  const envelope = JSON.parse(Buffer.from(data).toString("utf8")) as FlatEnvelope;
  return {
    type: envelope.event_type,
    payload: envelope.payload,
    aggregateId: envelope.aggregate_id,
    aggregateType: envelope.aggregate_type ?? null,
    domain,
    timestamp: envelope.timestamp,
    sequence: envelope.sequence ?? null,
    streamSequence: seq,
    eventId: envelope.event_id ?? null,
    correlationId: envelope.correlation_id ?? null,
    causationId: envelope.causation_id ?? null,
    metadata: envelope.metadata ?? {},
    headers: {},
  };
}

function escaped(token: string): string {
  let text = "";
  for (const byte of Buffer.from(token)) {
    const character = String.fromCharCode(byte);
    text += /[A-Za-z0-9_/-]/.test(character) ? character : `=${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
}

/** JSON with the keys of every object and Map in order; written by hand, as objects put keys that look like numbers first. */
function sortedJson(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => sortedJson(item ?? null)).join(",")}]`;
  const fields = (value instanceof Map ? [...value] : Object.entries(value))
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, field]) => `${JSON.stringify(key)}:${sortedJson(field)}`);
  return `{${fields.join(",")}}`;
}
