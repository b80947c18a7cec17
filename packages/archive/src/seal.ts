import { ReplayError } from "@cim-replay/core";

/**
 * An archive's last bytes: an empty gzip member whose comment is the SHA-256 of every byte before it. gzip and tar pass
 * over it. Without it a flipped bit may go unseen: gzip checks neither its header nor the bits that fill its last byte.
 */
const COMMENT = "cim-replay archive; SHA-256 of what precedes: ";
const GZIP_HEADER = Buffer.from("1f8b0810000000000003", "hex");
/** An empty deflate block, CRC and length of nothing. */
const EMPTY_BODY = Buffer.from("03000000000000000000", "hex");
const SHA256_HEX = 64;

export const SEAL_BYTES = GZIP_HEADER.length + COMMENT.length + SHA256_HEX + 1 + EMPTY_BODY.length;

/** `sha256`: lower-case hex. */
export function sealOf(sha256: string): Buffer {
  return Buffer.concat([GZIP_HEADER, Buffer.from(`${COMMENT}${sha256}\0`, "latin1"), EMPTY_BODY]);
}

/** What is wrong with an archive; always "Cannot use {file}: …". */
export function refused(file: string, why: string, advice = "Take another copy of it, or another backup"): ReplayError {
  return new ReplayError(`Cannot use archive ${file}: ${why}. ${advice}.`);
}
