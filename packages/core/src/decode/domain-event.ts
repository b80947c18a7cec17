import type { DecodedEvent, EventHeaders, StreamMessage } from "../event.ts";
import { copyValue } from "./copy-value.ts";
import type { JsonObject } from "./fields.ts";
import { NO_HEADERS } from "./headers.ts";

/** What an event is made of once every source has been asked. */
interface EventParts {
  readonly type: string;
  readonly payload: unknown;
  readonly aggregateId: string;
  readonly aggregateType: string | null;
  readonly domain: string;
  readonly timestamp: string;
  readonly timestampMs: number;
  readonly sequence: number | null;
  readonly eventId: string | null;
  readonly correlationId: string | null;
  readonly causationId: string | null;
  readonly metadata: JsonObject;
  readonly cid: string | null;
  readonly previousCid: string | null;
}

/**
 * One shape for all events, so that what reads them stays fast. Its own properties are those of `ReplayEvent` and no
 * more; headers alone are a getter, as most projections never make the message parse them.
 */
export class DomainEvent implements DecodedEvent {
  readonly type: string;
  readonly payload: unknown;
  readonly aggregateId: string;
  readonly aggregateType: string | null;
  readonly domain: string;
  readonly timestamp: string;
  readonly sequence: number | null;
  readonly streamSequence: number;
  readonly eventId: string | null;
  readonly correlationId: string | null;
  readonly causationId: string | null;
  readonly metadata: JsonObject;
  readonly #timestampMs: number;
  readonly #cid: string | null;
  readonly #previousCid: string | null;
  readonly #message: StreamMessage;

  constructor(parts: EventParts, message: StreamMessage) {
    this.type = parts.type;
    this.payload = parts.payload;
    this.aggregateId = parts.aggregateId;
    this.aggregateType = parts.aggregateType;
    this.domain = parts.domain;
    this.timestamp = parts.timestamp;
    this.sequence = parts.sequence;
    this.streamSequence = message.seq;
    this.eventId = parts.eventId;
    this.correlationId = parts.correlationId;
    this.causationId = parts.causationId;
    this.metadata = parts.metadata;
    this.#timestampMs = parts.timestampMs;
    this.#cid = parts.cid;
    this.#previousCid = parts.previousCid;
    this.#message = message;
  }

  /** The same event with a payload and metadata of its own, for another who may change or keep them. */
  copy(): DomainEvent {
    const payload = copyValue(this.payload);
    const metadata = copyValue(this.metadata) as JsonObject;
    const { timestampMs, cid, previousCid } = this;
    return new DomainEvent({ ...this, payload, metadata, timestampMs, cid, previousCid }, this.#message);
  }

  get headers(): EventHeaders {
    return this.#message.headers ?? NO_HEADERS;
  }

  get timestampMs(): number {
    return this.#timestampMs;
  }

  get cid(): string | null {
    return this.#cid;
  }

  get previousCid(): string | null {
    return this.#previousCid;
  }
}
