import type { NatsClient } from "@cim-replay/nats";
import { digestEntries } from "./checksums.ts";
import { type Checksums, rootOf } from "./checksums-file.ts";
import { byKey } from "./merkle.ts";

export interface ChecksumsVerdict {
  readonly bucket: string;
  /** Entries in the file, and in the bucket. */
  readonly expectedEntries: number;
  readonly foundEntries: number;
  /** Of what the bucket holds. */
  readonly root: string;
  /** Differences, each list by key. */
  readonly altered: readonly { readonly key: string; readonly expected: string; readonly found: string }[];
  readonly missing: readonly string[];
  readonly extra: readonly string[];
}

/** What a domain's entries in a bucket are, against what the checksums say. Throws as `takeChecksums` does. */
export async function verifyChecksums(
  client: NatsClient,
  expected: Checksums,
  bucket: string,
): Promise<ChecksumsVerdict> {
  const { sha256ByKey } = await digestEntries(client, expected.domain, bucket);
  return compareChecksums(expected, sha256ByKey, bucket);
}

function compareChecksums(
  { entries }: Pick<Checksums, "entries">,
  found: ReadonlyMap<string, string>,
  bucket: string,
): ChecksumsVerdict {
  const altered = [];
  const missing = [];
  const expectedKeys = new Set<string>();
  for (const [key, expected] of entries) {
    expectedKeys.add(key);
    const there = found.get(key);
    if (there === undefined) missing.push(key);
    else if (there !== expected) altered.push({ key, expected, found: there });
  }
  const sorted = [...found].sort(([a], [b]) => byKey({ key: a }, { key: b }));
  return {
    bucket,
    expectedEntries: entries.length,
    foundEntries: found.size,
    root: rootOf(sorted),
    altered,
    missing,
    extra: sorted.flatMap(([key]) => (expectedKeys.has(key) ? [] : [key])),
  };
}

export function checksumsHold({ altered, missing, extra }: ChecksumsVerdict): boolean {
  return altered.length + missing.length + extra.length === 0;
}
