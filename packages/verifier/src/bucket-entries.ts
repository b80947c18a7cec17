import { hash } from "node:crypto";
import { canonicalJson, entryKey, parseEntryKey } from "@cim-replay/core";
import type { EntryFacts } from "./entry-facts.ts";
import { EntryTable } from "./entry-table.ts";
import { type Entry, getEntry, type NatsClient, readEntries } from "@cim-replay/nats";

const MAX_EVENTS = 2 ** 32 - 1;

/** Every entry of a domain, by key; complete by the server's index. Of one aggregate only where its id is given. */
export async function readBucketEntries(
  client: NatsClient,
  bucket: string,
  scope: { domain: string; aggregateId: string | null; signal: AbortSignal },
  onRead: (entries: number) => void = () => {},
): Promise<EntryTable> {
  const found = new EntryTable(scope.domain);
  const keep = (entry: Entry) => found.set(factsOf(entry, scope.domain));
  if (scope.aggregateId !== null) {
    const entry = await getEntry(client, bucket, entryKey(scope.domain, scope.aggregateId));
    if (entry && !entry.deleted) keep(entry);
    return found;
  }
  for await (const batch of readEntries(client, bucket, `${domainPrefix(scope.domain)}>`)) {
    scope.signal.throwIfAborted();
    for (const entry of batch) keep(entry);
    onRead(found.size);
  }
  return found;
}

/** What the keys of a domain's entries begin with. */
function domainPrefix(domain: string): string {
  const key = entryKey(domain, "x");
  return key.slice(0, key.indexOf(".") + 1);
}

function factsOf({ key, revision, value, provenance }: Entry, domain: string): EntryFacts {
  const parsed = parseEntryKey(key);
  const id = parsed?.domain === domain ? parsed.aggregateId : null;
  const sha256 = hash("sha256", value);
  const isWhole = provenance && provenance.lastSeq > 0 && provenance.events > 0 && provenance.events <= MAX_EVENTS;
  if (!isWhole) {
    return { key, id, revision, sha256, canonicalSha256: canonicalSha256(value) ?? sha256, stated: null };
  }
  const { run, lastSeq, events } = provenance;
  const stated = { run, sha256: provenance.sha256, lastSeq, events };
  return { key, id, revision, sha256, canonicalSha256: sha256, stated };
}

function canonicalSha256(value: Uint8Array): string | null {
  try {
    return hash("sha256", canonicalJson(JSON.parse(Buffer.from(value).toString("utf8"))));
  } catch {
    return null;
  }
}
