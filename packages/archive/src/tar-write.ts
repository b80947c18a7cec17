import { Header } from "tar";

export const TAR_BLOCK = 512;
/** Where a tar ends. */
export const TAR_END = Buffer.alloc(2 * TAR_BLOCK);

/** The one header that an archive has for a member of this path and size. */
export function tarHeader(path: string, size: number): Buffer {
  const header = new Header({ path, size, type: "File", mode: 0o644, uid: 0, gid: 0, mtime: new Date(0) });
  const block = Buffer.alloc(TAR_BLOCK);
  header.encode(block);
  return block;
}

/** Bytes that fill up a member's last block. */
export function paddingOf(size: number): number {
  return (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK;
}
