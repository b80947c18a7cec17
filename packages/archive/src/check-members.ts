import { hash } from "node:crypto";
import { errorMessage } from "@cim-replay/core";
import type { z } from "zod";
import { type ChunkKind, chunkPath, END_OF_LINE } from "./chunks.ts";
import { ARCHIVE_VERSION, type ManifestMember, MANIFEST_PATH, manifestKindSchema, recordsIn } from "./manifest.ts";
import { refused } from "./refused.ts";
import type { SealedFile } from "./sealed-file.ts";
import type { TarMember } from "./tar-read.ts";

/** Throws an Error in a few words where the line is none. */
export type TakeLine = (kind: ChunkKind, line: string) => void;

interface Counted {
  readonly members: readonly ManifestMember[];
  readonly events: number;
  readonly entries?: number;
}

/**
 * Reads every member and line of an archive, and holds what it finds against the manifest. `schema` is of the manifest that
 * the archive should have. Throws ReplayError with the reason where anything is not as a backup writes it.
 */
export async function checkMembers<Described extends Counted>(
  file: SealedFile,
  schema: z.ZodType<Described>,
  takeLine: TakeLine,
): Promise<Described> {
  const members: ManifestMember[] = [];
  let manifest: Described | null = null;
  for await (const member of file.members()) {
    if (manifest) throw refused(file.path, `member ${member.path} stands behind the manifest`);
    if (member.path === MANIFEST_PATH) manifest = readManifest(file.path, member.body, schema);
    else members.push(checkChunk(file.path, member, members.at(-1)?.path, takeLine));
  }
  if (!manifest) throw refused(file.path, "it has no manifest");
  compareMembers(file.path, manifest, members);
  return manifest;
}

function readManifest<Described>(file: string, body: Buffer, schema: z.ZodType<Described>): Described {
  let json: unknown;
  try {
    json = JSON.parse(body.toString("utf8"));
  } catch (error) {
    throw refused(file, `its manifest is no JSON (${errorMessage(error)})`);
  }
  const known = manifestKindSchema.safeParse(json);
  if (known.success && known.data.version > ARCHIVE_VERSION) {
    throw refused(
      file,
      `it is of version ${known.data.version}, this tool reads version ${ARCHIVE_VERSION}`,
      "Restore it with the cim-replay that wrote it, or a newer one",
    );
  }
  const manifest = schema.safeParse(json);
  if (manifest.success) return manifest.data;
  const [issue] = manifest.error.issues;
  if (known.success && issue?.path[0] === "kind") {
    throw refused(
      file,
      `it is an archive of ${known.data.kind ?? "no kind"}`,
      "restore-events takes archives of events, restore-projections those of projections and aggregates",
    );
  }
  throw refused(file, `its manifest is none (${issue?.path.join(".") || "as a whole"}: ${issue?.message})`);
}

/** Paths are in order without a gap, entries before events, so that none can be there twice. */
function checkChunk(
  file: string,
  { path, body }: TarMember,
  before: string | undefined,
  takeLine: TakeLine,
): ManifestMember {
  if (!isNext(path, before)) throw refused(file, `member ${path} stands behind ${before ?? "nothing"}, out of order`);
  const kind = path.startsWith("events/") ? "events" : "entries";
  let records = 0;
  for (const line of linesOf(file, path, body)) {
    records += 1;
    try {
      takeLine(kind, line);
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

/** One at a time: a hostile member may be nothing but ends of lines. */
export function* linesOf(file: string, path: string, body: Buffer): Generator<string> {
  for (let at = 0; at < body.length; ) {
    const end = body.indexOf(END_OF_LINE, at);
    if (end === -1) throw refused(file, `the last line of ${path} is cut off`);
    yield body.toString("utf8", at, end);
    at = end + 1;
  }
}

function compareMembers(
  file: string,
  { members, entries = 0, events }: Counted,
  found: readonly ManifestMember[],
): void {
  for (const [index, expected] of members.entries()) {
    const member = found[index];
    if (member?.path !== expected.path) throw refused(file, `member ${expected.path} is missing`);
    const isSame =
      member.bytes === expected.bytes && member.sha256 === expected.sha256 && member.records === expected.records;
    if (!isSame) throw refused(file, `member ${expected.path} is not the one that the manifest describes`);
  }
  const added = found[members.length];
  if (added) throw refused(file, `member ${added.path} is not in the manifest`);
  if (recordsIn("entries/", found) !== entries || recordsIn("events/", found) !== events) {
    throw refused(file, "its manifest's counts are not the sums of its members'");
  }
}

/** The members of a kind once more, each compared with the hash that was checked. */
export async function* checkedBodies(
  file: SealedFile,
  kind: ChunkKind,
  { members }: Counted,
): AsyncGenerator<TarMember> {
  let index = 0;
  for await (const member of file.members()) {
    const expected = members[index++];
    if (!member.path.startsWith(`${kind}/`)) {
      if (expected === undefined) return;
      continue;
    }
    if (hash("sha256", member.body) !== expected?.sha256) {
      throw refused(file.path, "it has changed since it was checked");
    }
    yield member;
  }
}
