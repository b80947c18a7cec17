import { domainSettingsSchema } from "@cim-replay/core";
import { z } from "zod";

export const MANIFEST_PATH = "manifest.json";
export const ARCHIVE_FORMAT = "cim-replay-archive";
export const ARCHIVE_VERSION = 1;

const count = z.int().min(0);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "not a SHA-256 in lower-case hex");

const domainSchema = z.strictObject({
  name: z.string().min(1),
  settings: domainSettingsSchema,
  /** As it was before the first entry was read; null where there is no such stream. */
  stream: z.strictObject({ name: z.string(), created: z.string(), first_seq: count, last_seq: count }).nullable(),
});

const memberSchema = z.strictObject({
  path: z.string(),
  bytes: count,
  sha256,
  /** Lines, one record each. */
  records: count,
});

/** What every version has. */
export const manifestKindSchema = z.looseObject({ format: z.literal(ARCHIVE_FORMAT), version: z.int().min(1) });

/** An archive's last member. */
export const manifestSchema = z.strictObject({
  format: z.literal(ARCHIVE_FORMAT),
  version: z.literal(ARCHIVE_VERSION),
  kind: z.enum(["projections", "aggregate"]),
  tool_version: z.string(),
  /** RFC 3339. */
  taken_at: z.string(),
  domains: z.array(domainSchema).min(1).readonly(),
  /** Of an archive of one aggregate, which then has one domain. */
  aggregate_id: z.string().min(1).nullable(),
  bucket: z.strictObject({ name: z.string(), created: z.string(), last_revision: count }),
  entries: count,
  events: count,
  /** All others, in their order. */
  members: z.array(memberSchema).readonly(),
});

export type Manifest = z.infer<typeof manifestSchema>;
export type ManifestMember = z.infer<typeof memberSchema>;
/** What is known before the members are. */
export type ManifestHead = Omit<Manifest, "format" | "version" | "taken_at" | "entries" | "events" | "members">;
