import { entryKey, parseEntryKey, ReplayError } from "@cim-replay/core";
import { type NatsClient, REQUEST_TIMEOUT_MS } from "./connect.ts";
import { inParallel } from "./kv-parallel.ts";
import { lastMessage } from "./kv-read.ts";
import { EXPECTED_REVISION_HEADER } from "./publish-cas.ts";
import { isWrongRevision, withRetries } from "./publish-retry.ts";
import { decodeQuarantined, encodeQuarantined, type QuarantinedEvent } from "./quarantine-message.ts";
import { ensureStream } from "./stream-ensure.ts";
import { subjectCounts } from "./subject-index.ts";
import { subjectTotal } from "./subject-total.ts";

const STREAM = "CIM_REPLAY_QUARANTINE";
const SUBJECTS = "_CIM_REPLAY.quarantine.>";
const DEFAULT_MAX_PAYLOAD_BYTES = 1024 * 1024;
const READS_AT_ONCE = 16;

/** Where a kept event lies: each run keeps its own, and where it has several targets each of them. */
export interface QuarantinePlace {
  readonly runId: string;
  readonly seq: number;
  /** Of a run with several targets: the bucket of the one that kept it. */
  readonly target?: string | undefined;
}

/** Keeps events that could not be decoded or folded: one message an event, run and target, its subject names them. */
export class QuarantineStore {
  readonly #client: NatsClient;

  private constructor(client: NatsClient) {
    this.#client = client;
  }

  /** Null where nothing was ever quarantined here and `create` is false. */
  static async open(client: NatsClient, { create }: { create: boolean }): Promise<QuarantineStore | null> {
    const config = {
      name: STREAM,
      subjects: [SUBJECTS],
      allow_direct: true,
    };
    return (await ensureStream(client, config, create)) ? new QuarantineStore(client) : null;
  }

  /** Keeps the event; once only, however often and late it is called for the same run, sequence and target. */
  async put(event: QuarantinedEvent): Promise<void> {
    const maxPayload = this.#client.nc.info?.max_payload ?? DEFAULT_MAX_PAYLOAD_BYTES;
    const { headers, data } = encodeQuarantined(event, maxPayload);
    headers.set(EXPECTED_REVISION_HEADER, "0");
    await withRetries(this.#client, `quarantine message ${event.seq} of stream ${event.stream}`, async () => {
      try {
        const options = { headers, timeout: REQUEST_TIMEOUT_MS };
        await this.#client.js.publish(subjectOf(event), data, options);
      } catch (error) {
        if (!isWrongRevision(error)) throw error;
      }
    });
  }

  /**
   * All of a run, or what was kept for one of its targets, in the order of the source's sequences; complete by the server's
   * subject index.
   */
  async *list(runId: string, target?: string): AsyncGenerator<QuarantinedEvent> {
    yield* this.read((await this.places(runId)).filter((place) => isOf(place, target)));
  }

  /** Where every kept event lies, of all runs or of one, by run and sequence; complete by the server's subject index. */
  async places(runId?: string): Promise<QuarantinePlace[]> {
    const what = `list the quarantine${runId === undefined ? "" : ` of run ${runId}`}`;
    const filter = runId === undefined ? SUBJECTS : `${subjectOfRun(runId)}.>`;
    const index = await withRetries(this.#client, what, () => subjectCounts(this.#client, STREAM, filter));
    const places = [...index.keys()].map(placeOf).filter((place) => place !== null);
    return places.sort((a, b) =>
      a.runId === b.runId
        ? a.seq - b.seq || (a.target ?? "").localeCompare(b.target ?? "")
        : a.runId < b.runId
          ? -1
          : 1,
    );
  }

  /** The events at these places, in that order. */
  async *read(places: readonly QuarantinePlace[]): AsyncGenerator<QuarantinedEvent> {
    for (let at = 0; at < places.length; at += READS_AT_ONCE) {
      yield* await inParallel(places.slice(at, at + READS_AT_ONCE), READS_AT_ONCE, (place) =>
        this.#get(subjectOf(place)),
      );
    }
  }

  /** Removes the events at these places for good; what is not there any more is no error. */
  async discard(places: readonly QuarantinePlace[]): Promise<void> {
    await inParallel(places, READS_AT_ONCE, (place) =>
      withRetries(this.#client, `discard quarantined event ${place.seq} of run ${place.runId}`, () =>
        this.#client.jsm.streams.purge(STREAM, { filter: subjectOf(place) }),
      ),
    );
  }

  count(runId: string): Promise<number> {
    return subjectTotal(this.#client, STREAM, `${subjectOfRun(runId)}.>`);
  }

  async #get(subject: string): Promise<QuarantinedEvent> {
    const message = await lastMessage(this.#client, STREAM, subject, `read quarantined event ${subject}`);
    const event = message && decodeQuarantined({ headers: message.header, data: message.data });
    if (event) return event;
    throw new ReplayError(
      `Cannot read quarantined event ${subject}: ${message ? "another program wrote it" : "it was deleted meanwhile"}. ` +
        `Look at stream ${STREAM}.`,
    );
  }
}

function subjectOfRun(runId: string): string {
  return `_CIM_REPLAY.${entryKey("quarantine", runId)}`;
}

function subjectOf({ runId, seq, target }: QuarantinePlace): string {
  return `${subjectOfRun(runId)}.${seq}${target === undefined ? "" : `.${target}`}`;
}

/** What a run with one target kept belongs to that, without naming it. */
function isOf(place: QuarantinePlace, target: string | undefined): boolean {
  return target === undefined || place.target === undefined || place.target === target;
}

/** Null for a subject that is none of `subjectOf`. */
function placeOf(subject: string): QuarantinePlace | null {
  const [, key, seq, target] = /^_CIM_REPLAY\.(quarantine\.[^.]+)\.(\d+)(?:\.([^.]+))?$/.exec(subject) ?? [];
  const runId = key === undefined ? undefined : parseEntryKey(key)?.aggregateId;
  return runId === undefined ? null : { runId, seq: Number(seq), ...(target !== undefined && { target }) };
}
