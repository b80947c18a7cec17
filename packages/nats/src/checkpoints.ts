import { setImmediate as turn } from "node:timers/promises";
import { type CheckpointRef, entryKey, ReplayError } from "@cim-replay/core";
import { DeliverPolicy } from "@nats-io/jetstream";
import { nuid } from "nats";
import { ChunkOrder, chunkHeaders, withLast } from "./checkpoint-chunks.ts";
import type { NatsClient } from "./connect.ts";
import { PullInterrupted, pullToEnd } from "./message-pull.ts";
import { storedAt } from "./publish-ack.ts";
import { withRetries } from "./publish-retry.ts";
import { type Outgoing, PublishWindow } from "./publish-window.ts";
import { ensureStream } from "./stream-ensure.ts";

const STREAM = "CIM_REPLAY_CHECKPOINTS";
const SUBJECTS = "_CIM_REPLAY.checkpoint.>";
const WINDOW = { maxPending: 64, maxPendingBytes: 8 * 1024 * 1024 };
const READ_ATTEMPTS = 10;
/** Runs that failed and that nobody resumes leave theirs behind; two weeks are enough to go on with one. */
const MAX_AGE_NANOS = 14 * 24 * 3_600 * 1_000_000_000;

/** Where a written checkpoint lies, both ends included. */
export interface CheckpointPlace {
  readonly fromMessage: number;
  readonly toMessage: number;
  readonly bytes: number;
}

/** What `read` needs of a unit's reference to a checkpoint. */
type CheckpointToRead = Pick<CheckpointRef, "number" | "fromMessage" | "toMessage" | "bytes">;

/** Packed states of units, in messages of one stream. A checkpoint counts only where a unit's record refers to it. */
export class CheckpointStore {
  readonly #client: NatsClient;

  private constructor(client: NatsClient) {
    this.#client = client;
  }

  /** Throws ReplayError where the stream is missing and `create` is false. */
  static async open(client: NatsClient, { create }: { create: boolean }): Promise<CheckpointStore> {
    const config = {
      name: STREAM,
      subjects: [SUBJECTS],
      allow_direct: true,
      max_age: MAX_AGE_NANOS,
    };
    if (await ensureStream(client, config, create)) return new CheckpointStore(client);
    throw new ReplayError(
      `Cannot open the checkpoints: there is no stream ${STREAM}. Start the run again without --resume.`,
    );
  }

  /**
   * Publishes the chunks, several at once, and waits until all are stored. A write that fails leaves messages that
   * nothing refers to. Throws ReplayError where a chunk is larger than the server takes.
   */
  async write(
    runId: string,
    unit: string,
    epoch: number,
    number: number,
    chunks: Iterable<Uint8Array>,
  ): Promise<CheckpointPlace> {
    const subject = `${subjectOfUnit(runId, unit)}.${epoch}`;
    const what = `write checkpoint ${number} of unit ${unit}`;
    const writeId = nuid.next();
    let place: CheckpointPlace = { fromMessage: Number.MAX_SAFE_INTEGER, toMessage: 0, bytes: 0 };
    const window = new PublishWindow<Outgoing>(
      this.#client,
      {
        what,
        onStored: (item, answer) => {
          place = extend(place, storedAt(answer).seq, item.payload.byteLength);
          return "settled";
        },
        onRefused: (_, ack) => {
          throw new ReplayError(`Cannot ${what}: ${"words" in ack ? ack.words : ack.kind}. Give JetStream more room.`);
        },
        resolve: async () => "send-again",
      },
      WINDOW,
    );
    try {
      for (const { chunk, index, last } of withLast(chunks)) {
        const headers = chunkHeaders({ writeId, epoch, number, index, last });
        this.#requireFits(what, headers.byteLength + chunk.byteLength);
        // Locks and heartbeats starve where it does not turn, and a million states take a while to pack.
        await turn();
        await window.send({ subject, headers, payload: chunk, sends: 0 });
      }
    } catch (error) {
      window.fail(error instanceof Error ? error : new Error(String(error)));
    }
    await window.drain();
    return place;
  }

  /** The chunks of a written checkpoint, in order. Throws ReplayError where any is missing. */
  async *read(runId: string, unit: string, ref: CheckpointToRead): AsyncGenerator<Uint8Array> {
    const order = new ChunkOrder(ref.fromMessage, ref.number);
    for (let attempt = 1; ; attempt++) {
      try {
        yield* this.#readOnce(subjectOfUnit(runId, unit), ref, order);
        break;
      } catch (error) {
        if (!(error instanceof PullInterrupted) || attempt === READ_ATTEMPTS) throw error;
      }
    }
    if (order.isComplete) return;
    throw new ReplayError(
      `Cannot read checkpoint ${ref.number} of unit ${unit}: chunk ${order.count} is not in stream ${STREAM}, ` +
        `messages ${ref.fromMessage} to ${ref.toMessage}. Start the run again without --resume.`,
    );
  }

  /** Removes the checkpoints of a run, or of one unit of it; with `keepFromMessage` only what lies before it. */
  async purge(runId: string, unit?: string, keepFromMessage?: number): Promise<void> {
    const filter = `${unit === undefined ? subjectOfRun(runId) : subjectOfUnit(runId, unit)}.>`;
    const options = keepFromMessage === undefined ? { filter } : { filter, seq: keepFromMessage };
    await withRetries(this.#client, `remove checkpoints of run ${runId}`, () =>
      this.#client.jsm.streams.purge(STREAM, options),
    );
  }

  async *#readOnce(subject: string, ref: CheckpointToRead, order: ChunkOrder): AsyncGenerator<Uint8Array> {
    const config = {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: ref.fromMessage,
      filter_subject: `${subject}.*`,
    };
    for await (const batch of pullToEnd(this.#client, STREAM, config)) {
      for (const pulled of batch) {
        if (pulled.seq > ref.toMessage) return;
        yield* order.take(pulled);
      }
      if (order.isComplete) return;
    }
  }

  #requireFits(what: string, bytes: number): void {
    const maxPayload = this.#client.nc.info?.max_payload;
    if (maxPayload === undefined || bytes <= maxPayload) return;
    throw new ReplayError(
      `Cannot ${what}: a chunk has ${bytes} bytes and the server takes ${maxPayload}. Raise its max_payload.`,
    );
  }
}

function subjectOfRun(runId: string): string {
  return `_CIM_REPLAY.${entryKey("checkpoint", runId)}`;
}

function subjectOfUnit(runId: string, unit: string): string {
  return `_CIM_REPLAY.checkpoint.${entryKey(runId, unit)}`;
}

function extend({ fromMessage, toMessage, bytes }: CheckpointPlace, seq: number, size: number): CheckpointPlace {
  return { fromMessage: Math.min(fromMessage, seq), toMessage: Math.max(toMessage, seq), bytes: bytes + size };
}
