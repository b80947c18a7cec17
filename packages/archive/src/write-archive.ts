import { createHash, hash, randomBytes } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { errorMessage, formatSize, ReplayError } from "@cim-replay/core";
import type { Chunk } from "./chunks.ts";
import { ARCHIVE_FORMAT, ARCHIVE_VERSION, type Manifest, type ManifestHead, MANIFEST_PATH } from "./manifest.ts";
import { sealOf } from "./seal.ts";
import { ARCHIVE_LIMITS } from "./tar-read.ts";
import { paddingOf, TAR_END, tarHeader } from "./tar-write.ts";

export interface WrittenArchive {
  readonly manifest: Manifest;
  readonly bytes: number;
  /** Of the whole file, as `sha256sum` gives it. */
  readonly sha256: string;
}

/**
 * Writes an archive beside its place and moves it there when it is whole and on disk: who is killed meanwhile leaves a
 * `.new` file without a seal. Holds one chunk at a time. Throws ReplayError where the file cannot be written, and
 * whatever `chunks` throws.
 */
export async function writeArchive(
  path: string,
  head: ManifestHead,
  chunks: AsyncIterable<Chunk>,
): Promise<WrittenArchive> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.new`;
  try {
    const written = await writeSealed(temporary, head, chunks);
    await rename(temporary, path);
    await syncFolder(dirname(path));
    return written;
  } catch (error) {
    await rm(temporary, { force: true });
    if (!isOfFileSystem(error)) throw error;
    throw new ReplayError(`Cannot write archive ${path}: ${errorMessage(error)}. Name another file.`, { cause: error });
  }
}

async function writeSealed(path: string, head: ManifestHead, chunks: AsyncIterable<Chunk>): Promise<WrittenArchive> {
  const tar = new TarBytes(head, chunks);
  const digest = createHash("sha256");
  let bytes = 0;
  await using file = await open(path, "wx");
  const write = async (chunk: Buffer) => {
    digest.update(chunk);
    bytes += chunk.length;
    await file.appendFile(chunk);
  };
  await pipeline(tar, createGzip(), async (compressed: AsyncIterable<Buffer>) => {
    for await (const chunk of compressed) await write(chunk);
  });
  await write(sealOf(digest.copy().digest("hex")));
  await file.sync();
  return { manifest: tar.manifest(), bytes, sha256: digest.digest("hex") };
}

/** The chunks as a tar, and behind them the manifest that describes them. */
class TarBytes {
  readonly #head: ManifestHead;
  readonly #chunks: AsyncIterable<Chunk>;
  readonly #takenAt = new Date().toISOString();
  readonly #members: Manifest["members"][number][] = [];

  constructor(head: ManifestHead, chunks: AsyncIterable<Chunk>) {
    this.#head = head;
    this.#chunks = chunks;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    for await (const { path, body, records } of this.#chunks) {
      if (body.length > ARCHIVE_LIMITS.memberBytes) throw tooLarge(path, body.length);
      this.#members.push({ path, bytes: body.length, sha256: hash("sha256", body), records });
      yield* memberBytes(path, body);
    }
    yield* memberBytes(MANIFEST_PATH, Buffer.from(`${JSON.stringify(this.manifest(), null, 1)}\n`));
    yield TAR_END;
  }

  manifest(): Manifest {
    return {
      ...{ format: ARCHIVE_FORMAT, version: ARCHIVE_VERSION, taken_at: this.#takenAt },
      ...this.#head,
      entries: this.#recordsIn("entries/"),
      events: this.#recordsIn("events/"),
      members: this.#members,
    };
  }

  #recordsIn(folder: string): number {
    return this.#members.reduce((sum, { path, records }) => sum + (path.startsWith(folder) ? records : 0), 0);
  }
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
