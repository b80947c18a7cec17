import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { Readable } from "node:stream";
import { errorMessage, ReplayError, UsageError } from "@cim-replay/core";
import { type Packing, packingByContent, TELLING_BYTES } from "./compression.ts";
import { refused } from "./refused.ts";
import { ARCHIVE_LIMITS, type ArchiveLimits, type TarMember, tarMembers } from "./tar-read.ts";

const READ_BYTES = 256 * 1024;

/** A file whose every byte is covered by the seal at its end. Kept open, so that what was checked is what is read. */
export class SealedFile implements AsyncDisposable {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #packing: Packing;
  readonly #bodyBytes: number;
  readonly #limits: ArchiveLimits;
  #sha256 = "";

  private constructor(path: string, file: FileHandle, packing: Packing, bodyBytes: number, limits: ArchiveLimits) {
    this.path = path;
    this.#file = file;
    this.#packing = packing;
    this.#bodyBytes = bodyBytes;
    this.#limits = limits;
  }

  /** Of the whole file, as `sha256sum` gives it. */
  get sha256(): string {
    return this.#sha256;
  }

  /** Throws UsageError where the file cannot be read, ReplayError where its seal is missing or broken. */
  static async open(path: string, limits: ArchiveLimits = ARCHIVE_LIMITS): Promise<SealedFile> {
    const file = await openFile(path);
    try {
      const { size } = await file.stat();
      const packing = packingByContent(await readAt(file, 0, TELLING_BYTES));
      if (!packing) throw refused(path, `it is no archive (${size} bytes)`, "Name a file that a backup wrote");
      if (size <= packing.sealBytes) throw refused(path, `it is too short (${size} bytes)`);
      const sealed = new SealedFile(path, file, packing, size - packing.sealBytes, limits);
      await sealed.#checkSeal();
      return sealed;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Anew from the first each time. */
  async *members(): AsyncGenerator<TarMember> {
    const compressed = Readable.from(this.#body());
    const unpacking = this.#packing.unpack();
    compressed.on("error", (error) => unpacking.destroy(error));
    compressed.pipe(unpacking);
    try {
      yield* tarMembers(this.#unpacked(unpacking), this.#limits, (why) => refused(this.path, why));
    } finally {
      compressed.destroy();
      unpacking.destroy();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }

  async *#unpacked(unpacking: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    try {
      yield* unpacking;
    } catch (error) {
      if (error instanceof ReplayError) throw error;
      const isBroken = error instanceof Error && "code" in error && /^Z(?:STD)?_/.test(String(error.code));
      const what = isBroken ? "its compressed data is broken" : "it cannot be read";
      throw refused(this.path, `${what} (${errorMessage(error)})`);
    }
  }

  async #checkSeal(): Promise<void> {
    const digest = createHash("sha256");
    for await (const chunk of this.#body()) digest.update(chunk);
    const seal = await readAt(this.#file, this.#bodyBytes, this.#packing.sealBytes);
    const isWhole = seal.equals(this.#packing.seal(digest.copy().digest("hex")));
    this.#sha256 = digest.update(seal).digest("hex");
    if (isWhole) return;
    throw refused(this.path, "its seal is missing or does not fit: it was cut short, changed, or no backup wrote it");
  }

  /** What the seal covers. By hand: a stream of a file handle closes it when it is left early. */
  async *#body(): AsyncGenerator<Buffer> {
    for (let at = 0; at < this.#bodyBytes; ) {
      const chunk = await readAt(this.#file, at, Math.min(READ_BYTES, this.#bodyBytes - at));
      if (chunk.length === 0) throw refused(this.path, "it became shorter while it was read");
      at += chunk.length;
      yield chunk;
    }
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, position);
  return bytes.subarray(0, bytesRead);
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
