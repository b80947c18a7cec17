import { entryKey } from "@cim-replay/core";
import { checkedBodies, checkMembers, linesOf } from "./check-members.ts";
import { EntryDigests } from "./entry-digests.ts";
import { type Manifest, manifestSchema } from "./manifest.ts";
import { type EntryRecord, readEntryLine, readEntryLineAgain, readEventLine } from "./records.ts";
import { refused } from "./refused.ts";
import { scopeOf } from "./scope.ts";
import { SealedFile } from "./sealed-file.ts";
import type { ArchiveLimits } from "./tar-read.ts";

interface LargestEntry {
  readonly key: string;
  readonly bytes: number;
}

/** An archive that was found whole and sound. */
export interface CheckedArchive extends AsyncDisposable {
  readonly path: string;
  readonly manifest: Manifest;
  readonly digests: EntryDigests;
  /** The largest value; null where there is no entry. */
  readonly largest: LargestEntry | null;
  /** All entries, a chunk at a time, each chunk compared with its hash once more. */
  entries(): AsyncGenerator<readonly EntryRecord[]>;
}

/**
 * Reads all of an archive before anything is done with it. Holds one member at a time, and some 130 bytes for each entry.
 * Throws ReplayError with the reason where anything is not as a backup writes it, UsageError where there is no such file.
 */
export async function openArchive(path: string, limits?: ArchiveLimits): Promise<CheckedArchive> {
  const file = await SealedFile.open(path, limits);
  try {
    const { manifest, digests, largest } = await check(file);
    return {
      ...{ path, manifest, digests, largest },
      entries: () => entriesOf(file, manifest),
      [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
    };
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}

interface Checked {
  readonly manifest: Manifest;
  readonly digests: EntryDigests;
  readonly largest: LargestEntry | null;
}

async function check(file: SealedFile): Promise<Checked> {
  const digests = new EntryDigests();
  let largest: LargestEntry | null = null;
  const takeEntry = (entry: EntryRecord): LargestEntry | null => {
    const { key, value } = entry;
    if (!digests.add(key, entry)) throw new Error(`key ${key} is there twice`);
    return largest === null || value.byteLength > largest.bytes ? { key, bytes: value.byteLength } : largest;
  };
  const manifest = await checkMembers(file, manifestSchema, (kind, line) => {
    if (kind === "events") readEventLine(line);
    else largest = takeEntry(readEntryLine(line));
  });
  checkDomains(file.path, manifest, digests);
  return { manifest, digests, largest };
}

function checkDomains(file: string, manifest: Manifest, digests: EntryDigests): void {
  const { kind, domains, aggregate_id: id } = manifest;
  const names = domains.map(({ name }) => name);
  if (new Set(names).size !== names.length) throw refused(file, "its manifest names a domain twice");
  if ((kind === "aggregate") !== (id !== null) || (id !== null && names.length !== 1)) {
    throw refused(file, "its manifest does not say which aggregate it is of");
  }
  const scope = scopeOf(names, id);
  for (const key of digests.keys()) {
    if (!scope.holds(key)) {
      const whose = id === null ? names.join(", ") : entryKey(names[0] ?? "", id);
      throw refused(file, `entry ${key} is of another domain than the archive (${whose})`);
    }
  }
}

async function* entriesOf(file: SealedFile, manifest: Manifest): AsyncGenerator<readonly EntryRecord[]> {
  for await (const { path, body } of checkedBodies(file, "entries", manifest)) {
    yield Array.from(linesOf(file.path, path, body), readEntryLineAgain);
  }
}
