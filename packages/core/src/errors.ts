/**
 * What a person can act on. The message reads "Cannot do X: what is so. What to do." and is shown without a stack.
 * The class tells the CLI which status to exit with; nothing else decides that.
 */
export class ReplayError extends Error {
  override readonly name: string = "ReplayError";
}

/** Wrong flags or settings: exit 2. */
export class UsageError extends ReplayError {
  override readonly name = "UsageError";
}

/** A server cannot be reached: exit 3. */
export class UnreachableError extends ReplayError {
  override readonly name = "UnreachableError";
}

/** The stream is not what the plan pinned: recreated, purged, or messages deleted under the run. */
export class SourceChangedError extends ReplayError {
  override readonly name = "SourceChangedError";
}

/** Somebody else wrote to an entry that the run is rebuilding. */
export class ConflictingWriterError extends ReplayError {
  override readonly name = "ConflictingWriterError";
}

/** This worker's epoch is old: another has the unit. It must write nothing more. */
export class SupersededError extends ReplayError {
  override readonly name = "SupersededError";
}

/** A segment that a slice unit packed is not there any more, or not what it was. The stream itself is as it was. */
export class SegmentLostError extends ReplayError {
  override readonly name = "SegmentLostError";
}

export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
