/** Header names as the producer wrote them, each with its values joined by ", ". Has no prototype. */
export type EventHeaders = Readonly<Record<string, string>>;

/** A header's name and one of its values. */
export type HeaderPair = readonly [name: string, value: string];

/** One message as a stream reader delivers it. `data` is valid only until the next message is asked for. */
export interface StreamMessage {
  /** Stream sequence. */
  readonly seq: number;
  readonly subject: string;
  /** When the server received it, in milliseconds since the epoch. */
  readonly receivedAtMs: number;
  readonly data: Uint8Array;
  /** Parsed when asked for; `undefined` where the message has none. */
  readonly headers: EventHeaders | undefined;
  /** As `receivedAtMs`, to the nanosecond; undefined where it is not at hand. */
  readonly receivedAtNs?: bigint | undefined;
  /** Every header with every value by itself, those of a name together; undefined where they are not at hand. */
  readonly headerPairs?: readonly HeaderPair[] | undefined;
  /** The message's bytes where they were received, for those who compare or copy them; undefined where they are not at hand. */
  readonly raw?: RawMessage | undefined;
  /** The payload as text, where it is known to be ASCII and nothing else: made when asked for, at a fraction of decoding UTF-8. */
  readonly asciiText?: string | undefined;
}

/** Part of a larger piece of memory: `bytes[subjectAt]` up to `bytes[subjectEnd - 1]`. */
export interface RawSubject {
  readonly bytes: Uint8Array;
  readonly subjectAt: number;
  readonly subjectEnd: number;
}

/** The same of subject, headers and payload. */
export interface RawMessage extends RawSubject {
  /** Where the header block begins, as NATS sends it, which ends at the payload: at `payloadAt` where the message has none. */
  readonly headersAt: number;
  readonly payloadAt: number;
  readonly payloadEnd: number;
}

/** What `evolve` is given: one event, whatever envelope it came in. */
export interface ReplayEvent {
  /** As the producer wrote it; aliases matter to filters and upcasters only. */
  readonly type: string;
  readonly payload: unknown;
  readonly aggregateId: string;
  readonly aggregateType: string | null;
  readonly domain: string;
  /** RFC 3339: as the producer wrote it where that is RFC 3339, else converted, in UTC. */
  readonly timestamp: string;
  /** The envelope's own sequence within its aggregate. */
  readonly sequence: number | null;
  readonly streamSequence: number;
  /** Null where the envelope has none that names the event alone. */
  readonly eventId: string | null;
  readonly correlationId: string | null;
  readonly causationId: string | null;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly headers: EventHeaders;
}

/** A decoded event with what the pipeline alone needs to know of it. */
export interface DecodedEvent extends ReplayEvent {
  /** The event's own time, else the headers', else the message's; milliseconds since the epoch. Parsed when asked for. */
  readonly timestampMs: number;
  /** Content id of this event and of the one before it in its aggregate, as the envelope or headers state them. */
  readonly cid: string | null;
  readonly previousCid: string | null;
}

/** An event that cannot be decoded. Expected of real streams, so a value and not an exception. */
export interface MalformedEvent {
  readonly malformed: true;
  /** One line for people: what is wrong with it. */
  readonly reason: string;
}
