import { DeletedSequences, ReplayError, type SequenceRange } from "@cim-replay/core";
import { JetStreamApiCodes, JetStreamApiError, type StreamInfo } from "@nats-io/jetstream";
import { millis } from "nats";
import { apiRequest } from "./api-request.ts";
import type { NatsClient } from "./connect.ts";
import { messageFrom } from "./message-from.ts";
import { RESTORE_MARK } from "./restore-mark.ts";

export interface StreamFacts {
  readonly name: string;
  /** The server's own text (RFC 3339 with nanoseconds): with the name, the stream's identity. */
  readonly created: string;
  readonly firstSeq: number;
  /** 0 where the stream never held a message. */
  readonly lastSeq: number;
  readonly messages: number;
  readonly bytes: number;
  /** Sequences between the first and the last that hold no message. */
  readonly numDeleted: number;
  readonly subjects: readonly string[];
  /** Different subjects of its messages. */
  readonly numSubjects: number;
  /** −1 (0 for the age): no limit. */
  readonly limits: {
    readonly maxMsgsPerSubject: number;
    readonly maxAgeMs: number;
    readonly maxMsgs: number;
    readonly maxBytes: number;
    readonly maxMsgSize: number;
  };
  readonly storage: "file" | "memory";
  readonly replicas: number;
  /** Anything but "limits" removes messages that consumers have had. */
  readonly retention: "limits" | "interest" | "workqueue";
  /** The command that finishes a restore of its messages that was begun; null where none is unfinished. */
  readonly unfinishedRestore: string | null;
}

/** Null where there is no such stream. */
export async function streamFacts(client: NatsClient, stream: string): Promise<StreamFacts | null> {
  const info = await streamInfo(client, stream);
  return info && factsOf(info);
}

/** Names of the streams whose subjects overlap one of `subjects` (wildcards allowed), sorted. */
export async function findStreamsFor(client: NatsClient, subjects: readonly string[]): Promise<string[]> {
  const names = new Set<string>();
  for (const subject of subjects) {
    await apiRequest(`find streams for ${subject}`, async () => {
      for await (const name of client.jsm.streams.names(subject)) names.add(name);
    });
  }
  return [...names].sort();
}

/**
 * The sequences of `range` that hold no message: deleted inside the stream, or below its first sequence. Sequences
 * above the stream's last are not there yet, so not deleted.
 */
export async function deletedWithin(
  client: NatsClient,
  stream: string,
  range: SequenceRange,
): Promise<DeletedSequences> {
  const action = `list the deleted messages of stream ${stream}`;
  const info = await streamInfo(client, stream, { deleted_details: true });
  if (!info) throw new ReplayError(`Cannot ${action}: there is no such stream. Check its name.`);
  const listed = info.state.deleted ?? [];
  const expected = info.state.num_deleted ?? 0;
  if (listed.length !== expected) {
    throw new ReplayError(
      `Cannot ${action}: the server lists ${listed.length} of ${expected}. Try again when nothing is being deleted.`,
    );
  }
  const inside = DeletedSequences.fromList(listed, range).ranges;
  const goneTo = Math.min(info.state.first_seq - 1, range.toSeq);
  if (goneTo < range.fromSeq) return new DeletedSequences(inside);
  return new DeletedSequences(joinAdjacent({ fromSeq: range.fromSeq, toSeq: goneTo }, inside));
}

/** Sequence of the last message whose subject matches (wildcards allowed); null where none does. */
export async function lastMatchingSeq(client: NatsClient, stream: string, subject: string): Promise<number | null> {
  const message = await apiRequest(`read the last message of ${subject} on stream ${stream}`, () =>
    client.jsm.streams.getMessage(stream, { last_by_subj: subject }),
  );
  // Asked for `>`, servers look at the stream's last sequence alone and find nothing where that one is deleted.
  if (message === null && subject === ">") return lastPresentSeq(client, stream);
  return message?.seq ?? null;
}

async function lastPresentSeq(client: NatsClient, stream: string): Promise<number | null> {
  const facts = await streamFacts(client, stream);
  if (!facts || facts.messages === 0) return null;
  let last: number | null = null;
  let high = facts.lastSeq;
  for (let low = facts.firstSeq; low <= high; ) {
    const middle = Math.floor((low + high) / 2);
    const message = await messageFrom(client, stream, middle);
    if (message === null) high = middle - 1;
    else {
      last = message.seq;
      low = message.seq + 1;
    }
  }
  return last;
}

/** Whether a stream can have this name at all; requests for others would reach nobody. */
export function isStreamName(name: string): boolean {
  return /^[^.*>/\\\s]+$/.test(name);
}

async function streamInfo(
  client: NatsClient,
  stream: string,
  options?: { deleted_details: boolean },
): Promise<StreamInfo | null> {
  if (!isStreamName(stream)) return null;
  return apiRequest(`look at stream ${stream}`, async () => {
    try {
      return await client.jsm.streams.info(stream, options);
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound) return null;
      throw error;
    }
  });
}

function factsOf({ config, created, state }: StreamInfo): StreamFacts {
  return {
    name: config.name,
    created,
    firstSeq: state.first_seq,
    lastSeq: state.last_seq,
    messages: state.messages,
    bytes: state.bytes,
    numDeleted: state.num_deleted ?? 0,
    numSubjects: state.num_subjects ?? 0,
    subjects: config.subjects ?? [],
    limits: {
      maxMsgsPerSubject: config.max_msgs_per_subject,
      maxAgeMs: millis(config.max_age),
      maxMsgs: config.max_msgs,
      maxBytes: config.max_bytes,
      maxMsgSize: config.max_msg_size,
    },
    storage: config.storage === "memory" ? "memory" : "file",
    replicas: config.num_replicas,
    retention: config.retention,
    unfinishedRestore: config.metadata?.[RESTORE_MARK] ?? null,
  };
}

function joinAdjacent(gone: SequenceRange, inside: readonly SequenceRange[]): SequenceRange[] {
  const [first, ...rest] = inside;
  if (first && first.fromSeq <= gone.toSeq + 1) return [{ fromSeq: gone.fromSeq, toSeq: first.toSeq }, ...rest];
  return [gone, ...inside];
}
