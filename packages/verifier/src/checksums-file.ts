import { readFile } from "node:fs/promises";
import { canonicalJson, errorMessage, ReplayError, UsageError } from "@cim-replay/core";
import { z } from "zod";
import { keysOf } from "./entries-source.ts";
import { merkleRoot } from "./merkle.ts";

const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/, "not a SHA-256 in lower-case hex");

const checksumsSchema = z.strictObject({
  /** What the file is, for whoever finds it. */
  format: z.literal("cim-replay-checksums"),
  version: z.literal(1),
  domain: z.string().min(1),
  /** RFC 3339. */
  taken_at: z.string(),
  /** The event stream as it was before the entries were read. */
  stream: z.strictObject({ name: z.string(), created: z.string(), last_seq: z.int().min(0) }),
  bucket: z.strictObject({ name: z.string(), created: z.string(), last_revision: z.int().min(0) }),
  /** Key and SHA-256 of the value's bytes, by key in UTF-16 code units. Pairs: no key can hide another. */
  entries: z.array(z.tuple([z.string(), sha256Schema])).readonly(),
  /** Merkle root over `entries`, see `merkleRoot`. */
  root: sha256Schema,
});

export type Checksums = z.infer<typeof checksumsSchema>;

export function rootOf(entries: Checksums["entries"]): string {
  return merkleRoot(entries.map(([key, sha256]) => ({ key, sha256 })));
}

/** The one text of the checksums: canonical JSON. About 110 bytes an entry; some four million are the most that one text holds. */
export function checksumsText(checksums: Checksums): string {
  return `${canonicalJson(checksums)}\n`;
}

/**
 * Throws UsageError where the text is no such file or is of another domain, ReplayError where it was edited: its root does
 * not fit its own list. `where` names the file.
 */
export function parseChecksums(text: string, domain: string, where: string): Checksums {
  const cannot = `Cannot verify against ${where}`;
  const parsed = checksumsSchema.safeParse(jsonOf(text, cannot));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new UsageError(
      `${cannot}: it is no file of checksums (${issue?.path.join(".") || "as a whole"}: ${issue?.message}). Name one that generate-checksums wrote.`,
    );
  }
  const checksums = parsed.data;
  if (checksums.domain !== domain) {
    throw new UsageError(
      `${cannot}: it is of domain ${checksums.domain}, not of ${domain}. Give --domain ${checksums.domain}, or another file.`,
    );
  }
  const wrong = whatIsEdited(checksums);
  if (wrong !== null) {
    throw new ReplayError(`${cannot}: it was edited or damaged (${wrong}). Take the original, or generate it again.`);
  }
  return checksums;
}

function jsonOf(text: string, cannot: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(
      `${cannot}: it is no JSON (${errorMessage(error)}). Name a file that generate-checksums wrote.`,
    );
  }
}

function whatIsEdited({ domain, entries, root }: Checksums): string | null {
  const prefix = keysOf(domain).slice(0, -1);
  let before = "";
  for (const [key] of entries) {
    if (!key.startsWith(prefix)) return `key ${JSON.stringify(key)} is none of domain ${domain}`;
    if (key <= before) return `key ${JSON.stringify(key)} is out of order or there twice`;
    before = key;
  }
  return rootOf(entries) === root ? null : "its root does not fit its list";
}

/** As `parseChecksums`; UsageError where the file cannot be read. */
export async function readChecksums(path: string, domain: string): Promise<Checksums> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw new UsageError(`Cannot read ${path}: ${errorMessage(error)}. Name a file that generate-checksums wrote.`);
  }
  return parseChecksums(text, domain, path);
}
