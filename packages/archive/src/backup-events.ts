import { createHash } from "node:crypto";
import {
  compileDomain,
  type DeletedSequences,
  domainSettingsSchema,
  ReplayError,
  type SequenceRange,
  type StreamMessage,
  UsageError,
} from "@cim-replay/core";
import { deletedWithin, type NatsClient, readStream, streamConfig, streamFacts } from "@cim-replay/nats";
import type { DomainSource } from "./backup-projections.ts";
import { chunksOf } from "./chunks.ts";
import type { Compression } from "./compression.ts";
import type { CheckedEvents } from "./events-archive.ts";
import { ARCHIVE_FORMAT, ARCHIVE_VERSION, type EventsManifest, recordsIn } from "./manifest.ts";
import { eventLine, recordOf } from "./records.ts";
import { type WrittenArchive, writeArchive } from "./write-archive.ts";

const READ = { maxMessages: 4_000, maxBytes: 8 * 1024 * 1024, noProgressMs: 5_000 };

export interface BackupEventsOptions {
  readonly stream: string;
  /** Whose messages alone are kept; null: all. */
  readonly domain: DomainSource | null;
  readonly fromSeq: number | null;
  readonly toSeq: number | null;
  /** Goes on after its last sequence. */
  readonly since: Pick<CheckedEvents, "path" | "manifest" | "sha256"> | null;
  readonly output: string;
  readonly toolVersion: string;
  readonly chunkBytes?: number;
  /** Default: by the ending of `output`. */
  readonly compression?: Compression | undefined;
  readonly signal: AbortSignal;
  /** The last sequence that was looked at, and where the range ends. */
  readonly onProgress?: (seq: number, toSeq: number) => void;
}

/**
 * Writes the messages of a stream into an archive, one batch and one chunk at a time. Every sequence of the range is
 * accounted for: kept, another domain's, or deleted on the server. Throws UsageError where stream, range or earlier archive
 * do not fit, ReplayError where the stream changes under it.
 */
export async function backupEvents(
  client: NatsClient,
  options: BackupEventsOptions,
): Promise<WrittenArchive<EventsManifest>> {
  const { output, compression, chunkBytes, since, domain, toolVersion } = options;
  const takenAt = new Date().toISOString();
  const stream = await requireStream(client, options);
  const range = rangeOf(options, stream);
  const pass = new StreamPass(client, options, stream.created, range);
  return await writeArchive(output, {
    chunks: chunksOf("events", pass.lines(), chunkBytes),
    compression,
    describe: (members) => ({
      ...{ format: ARCHIVE_FORMAT, version: ARCHIVE_VERSION, kind: "events", tool_version: toolVersion },
      ...{ taken_at: takenAt, events: recordsIn("events/", members), stream },
      domain: domain && describe(domain),
      range: { from_seq: range.fromSeq, to_seq: range.toSeq },
      ...{ deleted: pass.deleted.map(({ fromSeq, toSeq }): [number, number] => [fromSeq, toSeq]), others: pass.others },
      parent: since && { sha256: since.sha256, to_seq: since.manifest.range.to_seq },
      ...{ content_sha256: pass.contentSha256(), members },
    }),
  });
}

async function requireStream(
  client: NatsClient,
  { stream: name, since, domain }: BackupEventsOptions,
): Promise<EventsManifest["stream"]> {
  const [facts, config] = [await streamFacts(client, name), await streamConfig(client, name)];
  if (!facts || !config) throw new UsageError(`Cannot back up stream ${name}: there is none. Check its name.`);
  if (since) checkParent(since, { name, created: facts.created, domain, lastSeq: facts.lastSeq });
  return { name, created: facts.created, config, first_seq: facts.firstSeq, last_seq: facts.lastSeq };
}

function describe({ name, settings }: DomainSource): NonNullable<EventsManifest["domain"]> {
  return { name, settings: domainSettingsSchema.parse(settings) };
}

function checkParent(
  { path, manifest }: Pick<CheckedEvents, "path" | "manifest">,
  now: { name: string; created: string; lastSeq: number; domain: DomainSource | null },
): void {
  const { stream, domain, range } = manifest;
  const refuse = (why: string) =>
    new UsageError(`Cannot go on from archive ${path}: ${why}. Make a whole backup, without --since-archive.`);
  if (stream.name !== now.name) throw refuse(`it is of stream ${stream.name}, not of ${now.name}`);
  if (stream.created !== now.created) {
    throw refuse(`its stream was created at ${stream.created}, the one of today at ${now.created}: they are two`);
  }
  const asked = now.domain && describe(now.domain);
  if (JSON.stringify(domain) !== JSON.stringify(asked)) {
    const of = (one: { name: string } | null) => (one ? `domain ${one.name}` : "all domains");
    throw refuse(
      domain?.name === asked?.name
        ? `its ${of(domain)} has other settings`
        : `it is of ${of(domain)}, not of ${of(asked)}`,
    );
  }
  if (now.lastSeq < range.to_seq) {
    throw refuse(`it reaches sequence ${range.to_seq}, and the stream now ends at ${now.lastSeq}`);
  }
}

function rangeOf(
  { stream, fromSeq, toSeq, since }: BackupEventsOptions,
  facts: EventsManifest["stream"],
): SequenceRange {
  const from = since ? since.manifest.range.to_seq + 1 : Math.max(fromSeq ?? 1, facts.first_seq, 1);
  const to = Math.min(toSeq ?? facts.last_seq, facts.last_seq);
  // Nothing new since the last one, or nothing at all, is an archive too: the next goes on from it.
  const mayBeEmpty = toSeq === null && (since !== null || (fromSeq === null && facts.last_seq < from));
  if (to < from && mayBeEmpty) return { fromSeq: from, toSeq: from - 1 };
  if (to >= from) return { fromSeq: from, toSeq: to };
  throw new UsageError(
    `Cannot back up sequences ${fromSeq ?? 1} to ${toSeq ?? facts.last_seq} of stream ${stream}: it holds ${facts.first_seq} to ${facts.last_seq}. Give --from-seq and --to-seq within that.`,
  );
}

/** One reading of the range: lines of what is kept, and an account of all else. */
class StreamPass {
  others = 0;
  readonly deleted: SequenceRange[] = [];
  readonly #client: NatsClient;
  readonly #options: BackupEventsOptions;
  readonly #created: string;
  readonly #range: SequenceRange;
  readonly #isKept: (subject: string) => boolean;
  readonly #content = createHash("sha256");
  #nextSeq: number;

  constructor(client: NatsClient, options: BackupEventsOptions, created: string, range: SequenceRange) {
    this.#client = client;
    this.#options = options;
    this.#created = created;
    this.#range = range;
    this.#nextSeq = range.fromSeq;
    const codec = options.domain && compileDomain(options.domain.name, options.domain.settings);
    this.#isKept = (subject) => codec === null || codec.route(subject) !== undefined;
  }

  async *lines(): AsyncGenerator<string> {
    const { stream, signal, onProgress } = this.#options;
    const source = { stream, created: this.#created, range: this.#range, filterSubjects: [], signal };
    for await (const batch of readStream(this.#client, { ...source, ...READ })) {
      for (const message of batch) {
        const line = this.#take(message);
        if (line !== null) yield line;
      }
      onProgress?.(this.#nextSeq - 1, this.#range.toSeq);
    }
    this.#passOver(this.#range.toSeq + 1);
    await this.#checkDeleted();
  }

  contentSha256(): string {
    return this.#content.copy().digest("hex");
  }

  #take(message: StreamMessage): string | null {
    this.#passOver(message.seq);
    this.#nextSeq = message.seq + 1;
    if (!this.#isKept(message.subject)) {
      this.others += 1;
      return null;
    }
    const line = eventLine(recordOf(message));
    this.#content.update(line).update("\n");
    return line;
  }

  #passOver(seq: number): void {
    if (seq > this.#nextSeq) this.deleted.push({ fromSeq: this.#nextSeq, toSeq: seq - 1 });
  }

  /** What was not delivered must be what the server calls deleted. */
  async #checkDeleted(): Promise<void> {
    if (this.deleted.length === 0) return;
    const { stream } = this.#options;
    const known: DeletedSequences = await deletedWithin(this.#client, stream, this.#range);
    const wrong = this.deleted.find((gap) => known.countWithin(gap) !== gap.toSeq - gap.fromSeq + 1);
    if (!wrong) return;
    throw new ReplayError(
      `Cannot back up stream ${stream}: sequences ${wrong.fromSeq} to ${wrong.toSeq} were not delivered, and the server does not call them deleted. Check its log, then run it again.`,
    );
  }
}
