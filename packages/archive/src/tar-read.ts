import { Header } from "tar";
import { formatSize } from "@cim-replay/core";
import { ByteSource } from "./byte-source.ts";
import { paddingOf, TAR_BLOCK, TAR_END, tarHeader } from "./tar-write.ts";

export interface ArchiveLimits {
  /** Of one member, which is held in memory. */
  readonly memberBytes: number;
  /** Of everything, uncompressed. */
  readonly totalBytes: number;
}

export const ARCHIVE_LIMITS: ArchiveLimits = { memberBytes: 256 * 1024 ** 2, totalBytes: 1024 ** 4 };

export interface TarMember {
  readonly path: string;
  readonly body: Buffer;
}

const MEMBER_PATH = /^(?:(?:entries|events)\/\d{6,9}\.jsonl|manifest\.json)$/;

/**
 * The members of a tar that `tarHeader` could have written, one at a time. Anything else is refused before its body is
 * read: links, devices, folders, extended headers, other names, other fields. `refuse` gives the error to throw.
 */
export async function* tarMembers(
  bytes: AsyncIterable<Buffer>,
  limits: ArchiveLimits,
  refuse: (why: string) => Error,
): AsyncGenerator<TarMember> {
  const source = new ByteSource(bytes, limits.totalBytes, refuse);
  for (;;) {
    const block = await source.take(TAR_BLOCK);
    if (isZero(block)) break;
    const { path, size } = readHeader(block, limits, refuse);
    const body = await source.take(size);
    if (!isZero(await source.take(paddingOf(size)))) throw refuse(`member ${path} is followed by bytes of nobody's`);
    yield { path, body };
  }
  if (!isZero(await source.take(TAR_END.length - TAR_BLOCK))) throw refuse("its end is damaged");
  if (!(await source.isAtEnd())) throw refuse("something follows its end");
}

function readHeader(
  block: Buffer,
  limits: ArchiveLimits,
  refuse: (why: string) => Error,
): { path: string; size: number } {
  const header = new Header(block);
  const { path = "", size = 0, type } = header;
  const name = JSON.stringify(path.slice(0, 80));
  if (!header.cksumValid) throw refuse("the header of a member is damaged");
  if (type !== "File") throw refuse(`member ${name} is no file but ${type ?? "of no known kind"}`);
  if (path.startsWith("/") || path.split("/").includes("..")) throw refuse(`member ${name} leads out of the archive`);
  if (!MEMBER_PATH.test(path)) throw refuse(`member ${name} is none that an archive has`);
  if (size > limits.memberBytes) {
    throw refuse(`member ${name} is of ${formatSize(size)}, the most is ${formatSize(limits.memberBytes)}`);
  }
  if (!block.equals(tarHeader(path, size))) throw refuse(`the header of member ${name} is not as it is written`);
  return { path, size };
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}
