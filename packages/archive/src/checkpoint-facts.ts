import { UsageError } from "@cim-replay/core";
import type { KeptFile } from "@cim-replay/nats";
import { z } from "zod";
import type { WrittenArchive } from "./write-archive.ts";

const count = z.int().min(0);

const factsSchema = z.object({
  version: z.literal(1),
  /** Automatic ones are made before something risky, and make room for newer ones. */
  automatic: z.boolean(),
  taken_at: z.string(),
  bucket: z.string(),
  entries: count,
  sha256: z.string(),
  domains: z.array(
    z.object({
      name: z.string(),
      stream: z.object({ name: z.string(), created: z.string(), last_seq: count }).nullable(),
    }),
  ),
});
type Facts = z.infer<typeof factsSchema>;

/** A named checkpoint as it is listed: its archive says the same, and is what counts. */
export type NamedCheckpoint = Facts & { readonly name: string; readonly bytes: number };

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
const KEY = "cim-replay-checkpoint";

/** Throws UsageError where a checkpoint cannot be called that. */
export function checkName(name: string): void {
  if (NAME.test(name)) return;
  throw new UsageError(
    `Cannot call a checkpoint ${JSON.stringify(name.slice(0, 120))}: a name has up to 100 letters, digits, dots, dashes and underscores, and begins with a letter or digit. Give another --name.`,
  );
}

export function factsOf({ manifest, sha256 }: WrittenArchive, automatic: boolean): KeptFile["facts"] {
  const facts: Facts = {
    ...({ version: 1, automatic, sha256 } as const),
    ...{ taken_at: manifest.taken_at, bucket: manifest.bucket.name, entries: manifest.entries },
    domains: manifest.domains.map(({ name, stream }) => ({
      name,
      stream: stream && { name: stream.name, created: stream.created, last_seq: stream.last_seq },
    })),
  };
  return { [KEY]: JSON.stringify(facts) };
}

/** Null for what another program, or a newer version, has put there. */
export function readFacts({ name, bytes, facts }: KeptFile): NamedCheckpoint | null {
  try {
    return { name, bytes, ...factsSchema.parse(JSON.parse(facts[KEY] ?? "")) };
  } catch {
    return null;
  }
}
