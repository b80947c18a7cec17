import { formatCount, ReplayError } from "@cim-replay/core";
import { type NatsClient, readHeads } from "@cim-replay/nats";
import { keysOf, requireBucket } from "./entries-source.ts";

const MOST_NAMED = 3;

/** What one entry says of the events that were folded into it. */
export interface ProjectedEntry {
  readonly events: number;
  /** Stream sequence of the last of them. */
  readonly lastSeq: number;
  readonly run: string;
}

export interface ProjectedCounts {
  readonly events: number;
  /** By key, sorted. */
  readonly entries: ReadonlyMap<string, ProjectedEntry>;
}

/**
 * How many events a domain's entries account for, by what their headers say; values are not read. Complete by the
 * server's index. Throws ReplayError where the bucket is missing, or where entries do not say it: no replay wrote them.
 */
export async function countProjected(client: NatsClient, bucket: string, domain: string): Promise<ProjectedCounts> {
  await requireBucket(client, bucket);
  const found = new Map<string, ProjectedEntry | null>();
  const runs = new Map<string, string>();
  for await (const batch of readHeads(client, bucket, keysOf(domain))) {
    for (const { key, deleted, provenance } of batch) {
      if (deleted) found.delete(key);
      else if (provenance === null) found.set(key, null);
      else {
        const { events, lastSeq, run } = provenance;
        // Texts that are the same are kept once: there may be a million entries.
        if (!runs.has(run)) runs.set(run, run);
        found.set(key, { events, lastSeq, run: runs.get(run) ?? run });
      }
    }
  }
  const entries = new Map<string, ProjectedEntry>();
  const silent: string[] = [];
  let events = 0;
  for (const key of [...found.keys()].sort()) {
    const entry = found.get(key);
    if (entry) entries.set(key, entry);
    else silent.push(key);
    events += entry?.events ?? 0;
  }
  if (silent.length > 0) throw uncounted(bucket, domain, silent, found.size);
  return { events, entries };
}

function uncounted(bucket: string, domain: string, keys: readonly string[], total: number): ReplayError {
  const named = keys.slice(0, MOST_NAMED).join(", ") + (keys.length > MOST_NAMED ? ", …" : "");
  return new ReplayError(
    `Cannot count the events of ${domain}: ${formatCount(keys.length)} of its ${formatCount(total)} entries in bucket ` +
      `${bucket} do not say how many they hold (${named}), so no replay wrote them. Replay the domain, then count again.`,
  );
}
