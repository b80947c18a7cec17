import { createHash } from "node:crypto";
import { ReplayError, UsageError } from "@cim-replay/core";
import {
  makeStream,
  type NatsClient,
  OrderedWriter,
  RESTORE_MARK,
  setStreamMark,
  streamFacts,
  streamMark,
} from "@cim-replay/nats";
import type { CheckedEvents } from "./events-archive.ts";
import { chainOf, type EventsChain } from "./events-chain.ts";
import { originOf, RENAMED_ID, restoredHeaders } from "./origin.ts";
import { type EventRecord, eventLine } from "./records.ts";
import { checkTakes, type RestoreTarget, restoreTarget, type TargetWishes } from "./restore-target.ts";
import { RestoredMessages } from "./restored-messages.ts";

export interface RestoreEventsOptions extends TargetWishes {
  /** In any order. */
  readonly archives: readonly CheckedEvents[];
  /** Writes behind messages of others. */
  readonly append: boolean;
  /** Looks, compares, and writes nothing. */
  readonly dryRun: boolean;
  /** The command that finishes this, for whoever finds the stream half restored. */
  readonly command: string;
  readonly signal: AbortSignal;
  readonly onProgress?: (stage: "compared" | "written" | "verified", events: number, total: number) => void;
}

export interface RestoredEvents {
  readonly stream: string;
  /** Whether the stream was not there before. */
  readonly made: boolean;
  readonly subjects: string;
  readonly leftOut: readonly string[];
  readonly events: number;
  readonly written: number;
  /** Were there already, by an earlier restore. */
  readonly unchanged: number;
  /** Of others, in the same stream. */
  readonly foreign: number;
  /** Whose message id the server would have taken for a repetition; it is in another header. */
  readonly renamedIds: number;
  /** Read back and found the same; 0 in a dry run that has something to write. */
  readonly verified: number;
}

/**
 * Makes a stream hold the messages of a chain of archives, in order, each once. What an earlier restore has written is
 * compared and left alone, so that doing it again goes on where it was. Throws UsageError where chain or stream do not
 * fit, ReplayError where the stream holds something else under their names, or does not hold them afterwards.
 */
export async function restoreEvents(client: NatsClient, options: RestoreEventsOptions): Promise<RestoredEvents> {
  const chain = chainOf(options.archives);
  const target = await restoreTarget(client, chain[0].manifest, options);
  const before = await compare(client, chain, target, options, "compared");
  const events = chain.reduce((sum, { manifest }) => sum + manifest.events, 0);
  const missing = events - before.same;
  const report = {
    ...{ stream: target.name, made: target.facts === null, subjects: target.mapping.words, leftOut: target.leftOut },
    ...{ events, written: missing, unchanged: before.same, foreign: before.foreign, renamedIds: 0 },
  };
  if (missing > 0) checkEmptyEnough(chain, target, before, options);
  if (options.dryRun) return { ...report, verified: missing === 0 ? events : 0 };
  if (missing === 0 && target.facts) {
    await endRestore(client, target.name);
    return { ...report, verified: events };
  }
  await beginRestore(client, target, options.command);
  const renamedIds = await writeMissing(client, chain, target, before.same, options);
  const facts = await streamFacts(client, target.name);
  const after = await compare(client, chain, { ...target, facts }, options, "verified");
  if (after.same !== events) throw notThere(target.name, `it holds ${after.same} of ${events} messages`);
  await endRestore(client, target.name);
  return { ...report, renamedIds, verified: after.same };
}

interface Comparison {
  /** So many of the chain's first messages are there, the same in all. */
  readonly same: number;
  readonly foreign: number;
}

/** Walks chain and stream side by side. Throws ReplayError where the stream holds another message where one is due. */
async function compare(
  client: NatsClient,
  chain: EventsChain,
  target: RestoreTarget,
  { signal, onProgress }: RestoreEventsOptions,
  stage: "compared" | "verified",
): Promise<Comparison> {
  const origin = originOf(chain[0].manifest.stream);
  await using restored = new RestoredMessages(client, target.facts, origin, signal);
  const total = chain.reduce((sum, { manifest }) => sum + manifest.events, 0);
  let same = 0;
  let looked = 0;
  let isAtEnd = false;
  for (const archive of chain) {
    const content = createHash("sha256");
    for await (const events of archive.events()) {
      signal.throwIfAborted();
      for (const event of events) {
        if (stage === "compared") checkTakes(client, target, event.subject, sizeOf(event, origin, target));
        const found = isAtEnd ? null : (restored.take() ?? (await restored.next()));
        if (found === null) isAtEnd = true;
        else if (found.line !== eventLine(event)) throw differs(target.name, event, found.seq);
        else {
          same += 1;
          content.update(found.line).update("\n");
        }
      }
      looked += events.length;
      onProgress?.(stage, looked, total);
    }
    if (!isAtEnd && content.digest("hex") !== archive.manifest.content_sha256) {
      throw notThere(target.name, `its content is not that of ${archive.path}`);
    }
  }
  const surplus = isAtEnd ? null : await restored.next();
  if (surplus) throw differs(target.name, null, surplus.seq);
  return { same, foreign: restored.foreign };
}

function sizeOf(event: EventRecord, origin: string, { mapping }: RestoreTarget): number {
  const headers = restoredHeaders(event, origin, mapping.stored(event.subject));
  const named = headers.reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value) + 4, 0);
  return event.data.byteLength + named + OWN_HEADERS_BYTES;
}

/** Version line, conditions and end of a header block, at most; a stream's name may have 255 characters. */
const OWN_HEADERS_BYTES = 400;

/** Events behind others', or behind themselves, would be a history that never was. */
function checkEmptyEnough(
  chain: EventsChain,
  { name, facts }: RestoreTarget,
  { foreign }: Comparison,
  { append }: RestoreEventsOptions,
): void {
  if (foreign === 0 || !facts) return;
  const { stream } = chain[0].manifest;
  const lastSeq = chain.at(-1)?.manifest.range.to_seq ?? 0;
  if (facts.created === stream.created && facts.name === stream.name && facts.firstSeq <= lastSeq) {
    throw new UsageError(
      `Cannot restore into stream ${name}: it is the stream that the archive is of, and still holds messages of it, which would be there twice. Give --stream with another name.`,
    );
  }
  if (append) return;
  throw new UsageError(
    `Cannot restore into stream ${name}: it holds ${foreign} messages of others, and what is restored would come behind them. Name another with --stream, or give --append where that is meant.`,
  );
}

/** Before the first message: whoever finds the stream meanwhile can read what it is. */
async function beginRestore(client: NatsClient, target: RestoreTarget, command: string): Promise<void> {
  if (target.facts) return setStreamMark(client, target.name, RESTORE_MARK, command);
  const metadata = typeof target.config.metadata === "object" ? target.config.metadata : {};
  await makeStream(client, { ...target.config, metadata: { ...metadata, [RESTORE_MARK]: command } });
}

async function endRestore(client: NatsClient, stream: string): Promise<void> {
  if ((await streamMark(client, stream, RESTORE_MARK)) !== null)
    await setStreamMark(client, stream, RESTORE_MARK, null);
}

/** `skip`: so many of the first are there. The number of ids that had to be renamed. */
async function writeMissing(
  client: NatsClient,
  chain: EventsChain,
  target: RestoreTarget,
  skip: number,
  { signal, onProgress }: RestoreEventsOptions,
): Promise<number> {
  const { name, mapping } = target;
  const lastSeq = (await streamFacts(client, name))?.lastSeq ?? 0;
  const writer = new OrderedWriter(client, name, lastSeq, RENAMED_ID);
  const origin = originOf(chain[0].manifest.stream);
  const total = chain.reduce((sum, { manifest }) => sum + manifest.events, 0) - skip;
  let seen = 0;
  try {
    for (const archive of chain) {
      for await (const events of archive.events()) {
        for (const event of events) {
          if (seen++ < skip) continue;
          signal.throwIfAborted();
          const headers = restoredHeaders(event, origin, mapping.stored(event.subject));
          const room = writer.put({ subject: mapping.published(event.subject), headers, data: event.data });
          if (room) await room;
        }
        onProgress?.("written", Math.max(0, seen - skip), total);
      }
    }
  } finally {
    // What is on its way is waited for in any case: nothing must arrive after this has ended.
    await writer.flush();
  }
  return writer.renamedIds;
}

function differs(stream: string, event: EventRecord | null, found: number): ReplayError {
  const due = event === null ? "nothing more" : `sequence ${event.seq}`;
  const what = event?.seq === found ? "holds another content there" : `holds what is said to be sequence ${found}`;
  return notThere(stream, `where ${due} of the archive is due, it ${what}`);
}

function notThere(stream: string, why: string): ReplayError {
  return new ReplayError(
    `Cannot call stream ${stream} restored: ${why}. Messages were deleted or changed there, or its limits drop them; restore into another stream with --stream.`,
  );
}
