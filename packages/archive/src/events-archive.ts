import { createHash } from "node:crypto";
import { compileDomain, DeletedSequences } from "@cim-replay/core";
import { checkedBodies, checkMembers, linesOf } from "./check-members.ts";
import { type EventsManifest, eventsManifestSchema } from "./manifest.ts";
import { type EventRecord, readEventLine, readEventLineAgain } from "./records.ts";
import { refused } from "./refused.ts";
import { SealedFile } from "./sealed-file.ts";
import type { ArchiveLimits } from "./tar-read.ts";

/** Unpacked records take several times the room of their lines. */
const EVENTS_AT_ONCE = 500;

/** An archive of events that was found whole and sound. */
export interface CheckedEvents extends AsyncDisposable {
  readonly path: string;
  readonly manifest: EventsManifest;
  /** Of the whole file. */
  readonly sha256: string;
  /** All messages in order, in batches. */
  events(): AsyncGenerator<readonly EventRecord[]>;
}

/**
 * Reads all of an archive of events before anything is done with it, one member at a time. Throws ReplayError with the
 * reason where anything is not as a backup writes it, UsageError where there is no such file.
 */
export async function openEventsArchive(path: string, limits?: ArchiveLimits): Promise<CheckedEvents> {
  const file = await SealedFile.open(path, limits);
  try {
    const manifest = await check(file);
    return {
      ...{ path, manifest, sha256: file.sha256 },
      events: () => eventsOf(file, manifest),
      [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
    };
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}

async function check(file: SealedFile): Promise<EventsManifest> {
  const content = createHash("sha256");
  let first = 0;
  let last = 0;
  const manifest = await checkMembers(file, eventsManifestSchema, (kind, line) => {
    if (kind !== "events") throw new Error("an archive of events holds no entries");
    const { seq } = readEventLine(line);
    if (seq <= last) throw new Error(`sequence ${seq} stands behind ${last}`);
    first ||= seq;
    last = seq;
    content.update(line).update("\n");
  });
  if (content.digest("hex") !== manifest.content_sha256) {
    throw refused(file.path, "its events are not those that the manifest describes");
  }
  const wrong = wrongSequences(manifest, first, last);
  if (wrong !== null) throw refused(file.path, wrong);
  await checkEach(file, manifest);
  return manifest;
}

/** `first`, `last`: of its events; 0 where it has none. */
function wrongSequences(
  { range, deleted, others, events }: EventsManifest,
  first: number,
  last: number,
): string | null {
  const { from_seq: fromSeq, to_seq: toSeq } = range;
  if (toSeq < fromSeq - 1) return "its range ends before it begins";
  if (events > 0 && (first < fromSeq || last > toSeq)) return "it holds events outside its range";
  let before = fromSeq - 1;
  let gone = 0;
  for (const [from, to] of deleted) {
    if (from <= before || to < from || to > toSeq) return "its list of deleted sequences is none";
    before = to;
    gone += to - from + 1;
  }
  const sum = events + others + gone;
  return sum === toSeq - fromSeq + 1
    ? null
    : "its events, those of others and the deleted ones do not add up to its range";
}

/** What can be told of an event only when the manifest behind it is known; a pass of its own, so as to keep nothing. */
async function checkEach(file: SealedFile, manifest: EventsManifest): Promise<void> {
  const { domain, deleted } = manifest;
  if (domain === null && deleted.length === 0) return;
  const codec = domain && compileDomain(domain.name, domain.settings);
  const gone = new DeletedSequences(deleted.map(([fromSeq, toSeq]) => ({ fromSeq, toSeq })));
  for await (const events of eventsOf(file, manifest)) {
    for (const { seq, subject } of events) {
      if (gone.countWithin({ fromSeq: seq, toSeq: seq }) > 0) {
        throw refused(file.path, `it holds event ${seq} and calls it deleted`);
      }
      if (codec?.route(subject) === undefined && codec) {
        throw refused(file.path, `event ${seq} (${subject}) is of another domain than the archive (${domain?.name})`);
      }
    }
  }
}

async function* eventsOf(file: SealedFile, manifest: EventsManifest): AsyncGenerator<readonly EventRecord[]> {
  for await (const { path, body } of checkedBodies(file, "events", manifest)) {
    let batch: EventRecord[] = [];
    for (const line of linesOf(file.path, path, body)) {
      batch.push(readEventLineAgain(line));
      if (batch.length < EVENTS_AT_ONCE) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  }
}
