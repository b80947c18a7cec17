import { hash } from "node:crypto";
import { entryKey, errorMessage } from "@cim-replay/core";
import { chunkPath } from "./chunks.ts";
import {
  ARCHIVE_VERSION,
  type Manifest,
  type ManifestMember,
  MANIFEST_PATH,
  manifestKindSchema,
  manifestSchema,
} from "./manifest.ts";
import { entryDigest, type EntryRecord, readEntryLine, readEventLine } from "./records.ts";
import { scopeOf } from "./scope.ts";
import { refused } from "./seal.ts";
import { SealedFile } from "./sealed-file.ts";
import type { ArchiveLimits, TarMember } from "./tar-read.ts";

/** An archive that was found whole and sound. */
export interface CheckedArchive extends AsyncDisposable {
  readonly path: string;
  readonly manifest: Manifest;
  /** Of each entry's bytes and provenance, by key; see `entryDigest`. */
  readonly digests: ReadonlyMap<string, string>;
  /** All entries, a chunk at a time, each chunk compared with its hash once more. */
  entries(): AsyncGenerator<readonly EntryRecord[]>;
}

/**
 * Reads all of an archive before anything is done with it. Holds one member at a time, and some 200 bytes for each entry.
 * Throws ReplayError with the reason where anything is not as a backup writes it, UsageError where there is no such file.
 */
export async function openArchive(path: string, limits?: ArchiveLimits): Promise<CheckedArchive> {
  const file = await SealedFile.open(path, limits);
  try {
    const { manifest, digests } = await check(file);
    return {
      ...{ path, manifest, digests },
      entries: () => entriesOf(file, manifest),
      [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
    };
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}

async function check(file: SealedFile): Promise<{ manifest: Manifest; digests: ReadonlyMap<string, string> }> {
  const members: ManifestMember[] = [];
  const digests = new Map<string, string>();
  let manifest: Manifest | null = null;
  for await (const member of file.members()) {
    if (manifest) throw refused(file.path, `member ${member.path} stands behind the manifest`);
    if (member.path === MANIFEST_PATH) manifest = readManifest(file.path, member.body);
    else members.push(checkChunk(file.path, member, members.at(-1)?.path, digests));
  }
  if (!manifest) throw refused(file.path, "it has no manifest");
  compareMembers(file.path, manifest, members);
  checkDomains(file.path, manifest, digests);
  return { manifest, digests };
}

function readManifest(file: string, body: Buffer): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(body.toString("utf8"));
  } catch (error) {
    throw refused(file, `its manifest is no JSON (${errorMessage(error)})`);
  }
  const kind = manifestKindSchema.safeParse(json);
  if (kind.success && kind.data.version > ARCHIVE_VERSION) {
    throw refused(
      file,
      `it is of version ${kind.data.version}, this tool reads version ${ARCHIVE_VERSION}`,
      "Restore it with the cim-replay that wrote it, or a newer one",
    );
  }
  const manifest = manifestSchema.safeParse(json);
  if (manifest.success) return manifest.data;
  const [issue] = manifest.error.issues;
  throw refused(file, `its manifest is none (${issue?.path.join(".") || "as a whole"}: ${issue?.message})`);
}

/** Paths are in order without a gap, entries before events, so that none can be there twice. */
function checkChunk(
  file: string,
  { path, body }: TarMember,
  before: string | undefined,
  digests: Map<string, string>,
): ManifestMember {
  if (!isNext(path, before)) throw refused(file, `member ${path} stands behind ${before ?? "nothing"}, out of order`);
  let records = 0;
  for (const line of linesOf(file, path, body)) {
    records += 1;
    try {
      if (path.startsWith("events/")) readEventLine(line);
      else takeEntry(readEntryLine(line), digests);
    } catch (error) {
      throw refused(file, `line ${records} of ${path} is no record (${errorMessage(error).slice(0, 200)})`);
    }
  }
  return { path, bytes: body.length, sha256: hash("sha256", body), records };
}

function isNext(path: string, before: string | undefined): boolean {
  if (path === chunkPath("entries", 1)) return before === undefined;
  if (path === chunkPath("events", 1)) return before === undefined || before.startsWith("entries/");
  const [kind, number] = [path.split("/")[0], Number(/\d+/.exec(path)?.[0])];
  if (kind !== "entries" && kind !== "events") return false;
  return before === chunkPath(kind, number - 1) && path === chunkPath(kind, number);
}

function takeEntry(entry: EntryRecord, digests: Map<string, string>): void {
  if (digests.has(entry.key)) throw new Error(`key ${entry.key} is there twice`);
  digests.set(entry.key, entryDigest(entry));
}

/** One at a time: a hostile member may be nothing but ends of lines. */
function* linesOf(file: string, path: string, body: Buffer): Generator<string> {
  for (let at = 0; at < body.length; ) {
    const end = body.indexOf("\n", at);
    if (end === -1) throw refused(file, `the last line of ${path} is cut off`);
    yield body.toString("utf8", at, end);
    at = end + 1;
  }
}

function compareMembers(file: string, { members, entries, events }: Manifest, found: readonly ManifestMember[]): void {
  for (const [index, expected] of members.entries()) {
    const member = found[index];
    if (member?.path !== expected.path) throw refused(file, `member ${expected.path} is missing`);
    const isSame =
      member.bytes === expected.bytes && member.sha256 === expected.sha256 && member.records === expected.records;
    if (!isSame) throw refused(file, `member ${expected.path} is not the one that the manifest describes`);
  }
  const added = found[members.length];
  if (added) throw refused(file, `member ${added.path} is not in the manifest`);
  const counted = { "entries/": 0, "events/": 0 };
  for (const { path, records } of found) counted[path.startsWith("entries/") ? "entries/" : "events/"] += records;
  if (counted["entries/"] !== entries || counted["events/"] !== events) {
    throw refused(file, "its manifest's counts are not the sums of its members'");
  }
}

function checkDomains(file: string, manifest: Manifest, digests: ReadonlyMap<string, string>): void {
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

async function* entriesOf(file: SealedFile, { members }: Manifest): AsyncGenerator<readonly EntryRecord[]> {
  let index = 0;
  for await (const { path, body } of file.members()) {
    const expected = members[index++];
    if (!path.startsWith("entries/")) return;
    if (hash("sha256", body) !== expected?.sha256) throw refused(file.path, "it has changed since it was checked");
    yield Array.from(linesOf(file.path, path, body), readEntryLine);
  }
}
