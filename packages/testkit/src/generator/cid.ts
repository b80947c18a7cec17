import { hash } from "node:crypto";

const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";
const CODES = Uint8Array.from(ALPHABET, (letter) => letter.charCodeAt(0));
/** CID version 1, codec raw, SHA-256, 32 bytes of digest. */
const PREFIX = [0x01, 0x55, 0x12, 0x20];

const bytes = new Uint8Array(PREFIX.length + 32);
bytes.set(PREFIX);
/** "b" for lower-case base32 without padding, and 36 bytes in groups of five bits. */
const text = Buffer.alloc(1 + Math.ceil((bytes.length * 8) / 5), "b");

/** The content id (CIDv1, raw, SHA-256, base32: "bafkrei…") of a text's UTF-8 bytes. */
export function contentId(content: string): string {
  // As text: a buffer of its own for each digest would cost as much as the hashing.
  const digest = hash("sha256", content, "binary");
  for (let i = 0; i < digest.length; i++) bytes[PREFIX.length + i] = digest.charCodeAt(i);
  let at = 1;
  let pending = 0;
  let bits = 0;
  for (let i = 0; i < bytes.length; i++) {
    pending = ((pending << 8) | (bytes[i] ?? 0)) & 0xfff;
    for (bits += 8; bits >= 5; at++) {
      bits -= 5;
      text[at] = CODES[(pending >> bits) & 31] ?? 0;
    }
  }
  text[at] = CODES[(pending << (5 - bits)) & 31] ?? 0;
  return text.toString("latin1");
}
