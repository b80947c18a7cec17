import { ReplayError, type SequenceRange, SourceChangedError } from "@cim-replay/core";
import type { NatsClient } from "./connect.ts";
import type { ReadPosition } from "./reader-position.ts";
import { lastMatchingSeq, streamFacts } from "./stream-info.ts";

/** What is read, as it was when the read was planned. */
export interface PinnedSource {
  readonly stream: string;
  readonly created: string;
  readonly range: SequenceRange;
  readonly filterSubjects: readonly string[];
}

/** Throws SourceChangedError where the stream is another, ends earlier, or may have lost what was still to be read. */
export async function checkSource(client: NatsClient, source: PinnedSource, position: ReadPosition): Promise<void> {
  const { stream, created } = source;
  const facts = await streamFacts(client, stream);
  if (!facts) throw changed(stream, "it does not exist any more");
  if (facts.created !== created) {
    throw changed(stream, `it was created at ${facts.created} and not at ${created}: this is another stream`);
  }
  if (facts.lastSeq < position.toSeq) {
    throw changed(stream, `it ends at sequence ${facts.lastSeq}, and reached ${position.toSeq} before`);
  }
  const { unreadFrom } = position;
  if (unreadFrom <= position.toSeq && facts.firstSeq > unreadFrom) {
    throw changed(
      stream,
      `it begins at sequence ${facts.firstSeq}, and ${unreadFrom} was still to be read: it was purged`,
    );
  }
  if (facts.retention !== "limits") {
    throw new ReplayError(
      `Cannot read stream ${stream}: its retention is "${facts.retention}", so reading would remove messages. Read a mirror of it that keeps them.`,
    );
  }
}

/** Sequence of the last message that the read asks for, at or behind the end of its range; 0 where there is none. */
export async function lastSeqOf(client: NatsClient, { stream, filterSubjects }: PinnedSource): Promise<number> {
  const subjects = filterSubjects.length === 0 ? [">"] : filterSubjects;
  const last = await Promise.all(subjects.map((subject) => lastMatchingSeq(client, stream, subject)));
  return Math.max(0, ...last.map((seq) => seq ?? 0));
}

function changed(stream: string, what: string): SourceChangedError {
  return new SourceChangedError(`Cannot read stream ${stream}: ${what}. Plan the run again.`);
}
