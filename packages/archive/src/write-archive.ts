import { createHash, hash } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { errorMessage, formatSize, ReplayError } from "@cim-replay/core";
import type { Chunk } from "./chunks.ts";
import { type Compression, compressionByName, packingOf } from "./compression.ts";
import { type Manifest, type ManifestMember, MANIFEST_PATH } from "./manifest.ts";
import { ARCHIVE_LIMITS } from "./tar-read.ts";
import { sweepTemporaries, temporaryFor } from "./temporary-file.ts";
import { paddingOf, TAR_END, tarHeader } from "./tar-write.ts";

export interface WrittenArchive<Described = Manifest> {
  readonly manifest: Described;
  readonly bytes: number;
  /** Of the whole file, as `sha256sum` gives it. */
  readonly sha256: string;
}

interface ArchiveParts<Described> {
  readonly chunks: AsyncIterable<Chunk>;
  /** The manifest; asked for when all members are written. */
  readonly describe: (members: readonly ManifestMember[]) => Described;
  /** Default: by the path's ending. */
  readonly compression?: Compression | undefined;
}

/**
 * Writes an archive beside its place and moves it there when it is whole and on disk: who is killed meanwhile leaves a
 * `.new` file without a seal, which the next archive in that folder removes. Holds one chunk at a time. Throws
 * ReplayError where the file cannot be written, and whatever `chunks` throws.
 */
export async function writeArchive<Described>(
  path: string,
  parts: ArchiveParts<Described>,
): Promise<WrittenArchive<Described>> {
  await sweepTemporaries(path);
  const temporary = temporaryFor(path);
  try {
    const written = await writeSealed(temporary, parts.compression ?? compressionByName(path), parts);
    await rename(temporary, path);
    await syncFolder(dirname(path));
    return written;
  } catch (error) {
    await rm(temporary, { force: true });
    if (!isOfFileSystem(error)) throw error;
    throw new ReplayError(`Cannot write archive ${path}: ${errorMessage(error)}. Name another file.`, { cause: error });
  }
}

async function writeSealed<Described>(
  path: string,
  compression: Compression,
  { chunks, describe }: ArchiveParts<Described>,
): Promise<WrittenArchive<Described>> {
  const { pack, seal } = packingOf(compression);
  const described: Described[] = [];
  const digest = createHash("sha256");
  let bytes = 0;
  await using file = await open(path, "wx");
  const write = async (chunk: Buffer) => {
    digest.update(chunk);
    bytes += chunk.length;
    await file.appendFile(chunk);
  };
  const tar = tarBytes(chunks, (members) => {
    const manifest = describe(members);
    described.push(manifest);
    return manifest;
  });
  await pipeline(tar, pack(), async (compressed: AsyncIterable<Buffer>) => {
    for await (const chunk of compressed) await write(chunk);
  });
  await write(seal(digest.copy().digest("hex")));
  await file.sync();
  const [manifest] = described;
  if (manifest === undefined) throw new Error("an archive was written without a manifest");
  return { manifest, bytes, sha256: digest.digest("hex") };
}

/** The chunks as a tar, and behind them the manifest that describes them. */
async function* tarBytes(
  chunks: AsyncIterable<Chunk>,
  describe: (members: readonly ManifestMember[]) => unknown,
): AsyncGenerator<Buffer> {
  const members: ManifestMember[] = [];
  for await (const { path, body, records } of chunks) {
    if (body.length > ARCHIVE_LIMITS.memberBytes) throw tooLarge(path, body.length);
    members.push({ path, bytes: body.length, sha256: hash("sha256", body), records });
    yield* memberBytes(path, body);
  }
  yield* memberBytes(MANIFEST_PATH, Buffer.from(`${JSON.stringify(describe(members), null, 1)}\n`));
  yield TAR_END;
}

function* memberBytes(path: string, body: Buffer): Generator<Buffer> {
  yield tarHeader(path, body.length);
  if (body.length > 0) yield body;
  const padding = paddingOf(body.length);
  if (padding > 0) yield Buffer.alloc(padding);
}

function tooLarge(path: string, bytes: number): ReplayError {
  return new ReplayError(
    `Cannot write member ${path}: it would be of ${formatSize(bytes)}, more than is read again. Make the largest entry smaller.`,
  );
}

/** A rename is on disk only when its folder is. */
async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, "r");
  await folder.sync();
}

function isOfFileSystem(error: unknown): boolean {
  return error instanceof Error && "syscall" in error;
}
