import { type Aggregate, DomainSource, SHORTEST_LIFE } from "./domain-source.ts";
import { writeFull, writeLean } from "./envelope.ts";
import { checkGeneratorOptions, type GeneratorOptions, isLean } from "./generator-options.ts";
import { Random } from "./random.ts";
import { TOPICS } from "./vocabulary.ts";

export interface GeneratedEvent {
  /** `events.{domain}.{aggregate id}.{event type}` */
  readonly subject: string;
  readonly data: Uint8Array;
  readonly domain: string;
  readonly aggregateId: string;
}

const BEGIN_MS = Date.UTC(2025, 2, 3);
const SPAN_MS = 5 * 24 * 3_600_000;

/** Events that follow from each other share a correlation id; each names the one before as its cause. */
interface Burst {
  readonly correlationId: string;
  left: number;
  lastEventId: string | null;
}

/**
 * CIM events in stream order, one at a time; the same for the same options. Every aggregate's events are a valid life of
 * its kind, numbered from 1. Keeps a small model of each aggregate and nothing of the events. Throws UsageError.
 */
export function* generateEvents(options: GeneratorOptions): Generator<GeneratedEvent, void, undefined> {
  checkGeneratorOptions(options);
  const random = new Random(options.seed);
  const sources = openSources(options);
  const write = isLean(options) ? writeLean : writeFull;
  const fill = filler(options.eventBytes ?? 0);
  const clock = isoClock();
  let burst: Burst = { correlationId: "", left: 0, lastEventId: null };
  let turn: Turn | null = null;

  for (let i = 0; i < options.events; i++) {
    if (burst.left === 0) burst = { correlationId: random.uuid(), left: 1 + random.below(6), lastEventId: null };
    turn = takeTurn(random, sources, options.events - i, turn);
    const { source, aggregate } = turn;
    const offsetMs = Math.floor(((i + random.below(1_000) / 1_000) / options.events) * SPAN_MS);
    const timestamp = clock(BEGIN_MS + offsetMs);
    const mayEnd = aggregate.mayEnd && aggregate.sequence >= SHORTEST_LIFE;
    const { type, payload, ends } = aggregate.model.next(random, { timestamp, mayEnd });
    const facts = {
      eventId: random.uuid(),
      aggregateId: aggregate.id,
      aggregateType: source.noun,
      sequence: ++aggregate.sequence,
      type,
      payload,
      timestamp,
      correlationId: burst.correlationId,
      causationId: burst.lastEventId,
      previousCid: aggregate.lastCid,
    };
    const { text, cid } = fill((metadata) => write(facts, metadata));
    aggregate.lastCid = cid;
    aggregate.ended = ends === true;
    burst.lastEventId = facts.eventId;
    burst.left--;
    source.eventsLeft--;
    yield {
      subject: `events.${source.domain}.${aggregate.id}.${type}`,
      data: Buffer.from(text),
      domain: source.domain,
      aggregateId: aggregate.id,
    };
  }
}

/** Whose the next event is. */
interface Turn {
  readonly source: DomainSource;
  readonly aggregate: Aggregate;
  readonly birth: boolean;
}

function openSources({ domains, events, aggregates, skew }: GeneratorOptions): DomainSource[] {
  const share = (total: number, i: number) => Math.floor(total / domains.length) + (i < total % domains.length ? 1 : 0);
  return domains.map((domain, i) => new DomainSource(domain, share(events, i), share(aggregates, i), skew));
}

function takeTurn(random: Random, sources: readonly DomainSource[], eventsLeft: number, last: Turn | null): Turn {
  const stays = last !== null && !last.birth && !last.aggregate.ended && random.chance(40);
  const source = stays && last.source.eventsLeft > 0 ? last.source : pickSource(random, sources, eventsLeft);
  if (source.nextIsBirth(random)) return { source, aggregate: source.bear(random), birth: true };
  if (stays && source === last.source) return { source, aggregate: last.aggregate, birth: false };
  return { source, aggregate: source.pick(random), birth: false };
}

/** In proportion to what each still has to give, so that all end together. */
function pickSource(random: Random, sources: readonly DomainSource[], eventsLeft: number): DomainSource {
  let left = random.below(eventsLeft);
  for (const source of sources) {
    if (left < source.eventsLeft) return source;
    left -= source.eventsLeft;
  }
  throw new Error("the domains' events do not add up");
}

/** RFC 3339 of a time; the day, hour and minute of the last one are kept, as times come in order. */
function isoClock(): (timeMs: number) => string {
  let minute = -1;
  let beginning = "";
  return (timeMs) => {
    const intoMinute = timeMs % 60_000;
    if (timeMs - intoMinute !== minute) {
      minute = timeMs - intoMinute;
      beginning = new Date(minute).toISOString().slice(0, "2025-03-03T00:00:".length);
    }
    const [seconds, millis] = [String(Math.floor(intoMinute / 1_000)), String(intoMinute % 1_000)];
    return `${beginning}${seconds.padStart(2, "0")}.${millis.padStart(3, "0")}Z`;
  };
}

type Write = (metadata: string) => { text: string; cid: string | null };

/** Fills events that are shorter than `bytes` with a note in their metadata. */
function filler(bytes: number): (write: Write) => ReturnType<Write> {
  const sentence = `${TOPICS.filter((topic) => /^\w+$/.test(topic)).join(" ")} `;
  const note = sentence.repeat(Math.ceil(bytes / sentence.length));
  const noteBytes = '"note":""'.length;
  return (write) => {
    const bare = write("");
    const missing = bytes - Buffer.byteLength(bare.text) - noteBytes;
    return missing > 0 ? write(`"note":"${note.slice(0, missing)}"`) : bare;
  };
}
