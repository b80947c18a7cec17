import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { errorMessage, ReplayError, UsageError } from "@cim-replay/core";
import { refused, SEAL_BYTES, sealOf } from "./seal.ts";
import { ARCHIVE_LIMITS, type ArchiveLimits, type TarMember, tarMembers } from "./tar-read.ts";

const READ_BYTES = 256 * 1024;
const GZIP_MAGIC = Buffer.from("1f8b", "hex");

/** A file whose every byte is covered by the seal at its end. Kept open, so that what was checked is what is read. */
export class SealedFile implements AsyncDisposable {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #bodyBytes: number;
  readonly #limits: ArchiveLimits;

  private constructor(path: string, file: FileHandle, bodyBytes: number, limits: ArchiveLimits) {
    this.path = path;
    this.#file = file;
    this.#bodyBytes = bodyBytes;
    this.#limits = limits;
  }

  /** Throws UsageError where the file cannot be read, ReplayError where its seal is missing or broken. */
  static async open(path: string, limits: ArchiveLimits = ARCHIVE_LIMITS): Promise<SealedFile> {
    const file = await openFile(path);
    try {
      const { size } = await file.stat();
      const sealed = new SealedFile(path, file, size - SEAL_BYTES, limits);
      await sealed.#checkSeal(size);
      return sealed;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Anew from the first each time. */
  async *members(): AsyncGenerator<TarMember> {
    const compressed = Readable.from(this.#body());
    const gunzip = createGunzip();
    compressed.on("error", (error) => gunzip.destroy(error));
    compressed.pipe(gunzip);
    try {
      yield* tarMembers(this.#unpacked(gunzip), this.#limits, (why) => refused(this.path, why));
    } finally {
      compressed.destroy();
      gunzip.destroy();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }

  async *#unpacked(gunzip: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    try {
      yield* gunzip;
    } catch (error) {
      if (error instanceof ReplayError) throw error;
      const isBroken = error instanceof Error && "code" in error && String(error.code).startsWith("Z_");
      const what = isBroken ? "its compressed data is broken" : "it cannot be read";
      throw refused(this.path, `${what} (${errorMessage(error)})`);
    }
  }

  async #checkSeal(size: number): Promise<void> {
    if (size <= SEAL_BYTES) throw refused(this.path, `it is too short (${size} bytes)`);
    const begin = await this.#read(0, GZIP_MAGIC.length);
    if (!begin.equals(GZIP_MAGIC)) throw refused(this.path, "it is no .tar.gz file", "Name a file that a backup wrote");
    const digest = createHash("sha256");
    for await (const chunk of this.#body()) digest.update(chunk);
    const seal = await this.#read(this.#bodyBytes, SEAL_BYTES);
    if (seal.equals(sealOf(digest.digest("hex")))) return;
    throw refused(this.path, "its seal is missing or does not fit: it was cut short, changed, or no backup wrote it");
  }

  /** What the seal covers. By hand: a stream of a file handle closes it when it is left early. */
  async *#body(): AsyncGenerator<Buffer> {
    for (let at = 0; at < this.#bodyBytes; ) {
      const chunk = await this.#read(at, Math.min(READ_BYTES, this.#bodyBytes - at));
      if (chunk.length === 0) throw refused(this.path, "it became shorter while it was read");
      at += chunk.length;
      yield chunk;
    }
  }

  async #read(position: number, length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(length);
    const { bytesRead } = await this.#file.read(bytes, 0, length, position);
    return bytes.subarray(0, bytesRead);
  }
}

async function openFile(path: string): Promise<FileHandle> {
  let file: FileHandle | null = null;
  try {
    file = await open(path, "r");
    if ((await file.stat()).isFile()) return file;
  } catch (error) {
    await file?.close();
    throw new UsageError(`Cannot read archive ${path}: ${errorMessage(error)}. Name a file that a backup wrote.`);
  }
  await file.close();
  throw new UsageError(`Cannot read archive ${path}: it is no file. Name one that a backup wrote.`);
}
