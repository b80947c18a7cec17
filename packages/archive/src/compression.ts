import { basename } from "node:path";
import { PassThrough, type Transform } from "node:stream";
import { constants, createGunzip, createGzip, createZstdCompress, createZstdDecompress } from "node:zlib";

export const COMPRESSIONS = ["gzip", "zstd", "none"] as const;
export type Compression = (typeof COMPRESSIONS)[number];

const SEAL_TEXT = "cim-replay archive; SHA-256 of what precedes: ";
const SHA256_HEX = 64;
const TAR_BLOCK = 512;
/** By default zlib hands over 16 KiB at a time, and half of the time to unpack goes into that. */
const UNPACKED_AT_ONCE = { chunkSize: 256 * 1024 };

/**
 * How an archive's tar is packed, and its last bytes, the seal: the SHA-256 of every byte before it, in a form that the
 * usual tools pass over. Without it a flipped bit may go unseen: gzip checks neither its header nor the bits that fill its
 * last byte, and a bare tar only its headers.
 */
export interface Packing {
  readonly compression: Compression;
  readonly sealBytes: number;
  /** `sha256`: lower-case hex. */
  seal(sha256: string): Buffer;
  pack(): Transform;
  unpack(): Transform;
}

/** An empty gzip member whose comment is the digest; behind it an empty deflate block, CRC and length of nothing. */
const GZIP_BEGIN = Buffer.from("1f8b0810000000000003", "hex");
const GZIP_EMPTY_BODY = Buffer.from("03000000000000000000", "hex");
const gzip: Packing = {
  compression: "gzip",
  sealBytes: GZIP_BEGIN.length + SEAL_TEXT.length + SHA256_HEX + 1 + GZIP_EMPTY_BODY.length,
  seal: (sha256) => Buffer.concat([GZIP_BEGIN, Buffer.from(`${SEAL_TEXT}${sha256}\0`, "latin1"), GZIP_EMPTY_BODY]),
  pack: () => createGzip(),
  unpack: () => createGunzip(UNPACKED_AT_ONCE),
};

/** A frame of the kind that decoders skip. */
const ZSTD_SKIPPABLE = Buffer.from("502a4d18", "hex");
const ZSTD_SEAL_BODY = SEAL_TEXT.length + SHA256_HEX;
const zstd: Packing = {
  compression: "zstd",
  sealBytes: ZSTD_SKIPPABLE.length + 4 + ZSTD_SEAL_BODY,
  seal(sha256) {
    const size = Buffer.alloc(4);
    size.writeUInt32LE(ZSTD_SEAL_BODY);
    return Buffer.concat([ZSTD_SKIPPABLE, size, Buffer.from(SEAL_TEXT + sha256, "latin1")]);
  },
  pack: () => createZstdCompress({ params: { [constants.ZSTD_c_checksumFlag]: 1 } }),
  unpack: () => createZstdDecompress(UNPACKED_AT_ONCE),
};

/** A block behind the tar's end, where tar no longer looks. */
const none: Packing = {
  compression: "none",
  sealBytes: TAR_BLOCK,
  seal(sha256) {
    const block = Buffer.alloc(TAR_BLOCK);
    block.write(SEAL_TEXT + sha256, "latin1");
    return block;
  },
  pack: () => new PassThrough(),
  unpack: () => new PassThrough(),
};

const PACKINGS = { gzip, zstd, none } as const satisfies Record<Compression, Packing>;

export function packingOf(compression: Compression): Packing {
  return PACKINGS[compression];
}

/** By the name's ending; gzip where it says nothing. */
export function compressionByName(path: string): Compression {
  const name = basename(path).toLowerCase();
  if (/\.(?:zst|tzst)$/.test(name)) return "zstd";
  return name.endsWith(".tar") ? "none" : "gzip";
}

/** How many of a file's first bytes `packingByContent` looks at. */
export const TELLING_BYTES = 265;
const GZIP_MAGIC = Buffer.from("1f8b", "hex");
const ZSTD_MAGIC = Buffer.from("28b52ffd", "hex");
const TAR_MAGIC = Buffer.from("ustar", "latin1");
const TAR_MAGIC_AT = 257;

/** Null where it is none of them. */
export function packingByContent(begin: Buffer): Packing | null {
  if (begin.subarray(0, GZIP_MAGIC.length).equals(GZIP_MAGIC)) return gzip;
  if (begin.subarray(0, ZSTD_MAGIC.length).equals(ZSTD_MAGIC)) return zstd;
  return begin.subarray(TAR_MAGIC_AT, TAR_MAGIC_AT + TAR_MAGIC.length).equals(TAR_MAGIC) ? none : null;
}
