import type { Validation } from "../rules/validation.ts";

/** The validation as `--format json` prints it. */
export function validationJson({ results, bucket, stream, ...validation }: Validation): Record<string, unknown> {
  return {
    version: validation.version,
    verdict: validation.verdict,
    domain: validation.domain,
    entries: validation.entries,
    written_meanwhile: validation.writtenMeanwhile,
    bucket: { name: bucket.name, created: bucket.created, last_revision: bucket.lastRevision },
    stream: stream && { name: stream.name, created: stream.created, last_seq: stream.lastSeq },
    rules: validation.rules,
    tool_version: validation.toolVersion,
    started_at: validation.startedAt,
    ended_at: validation.endedAt,
    results: results.map(({ notEvaluated, ...result }) => ({ ...result, not_evaluated: notEvaluated })),
  };
}
