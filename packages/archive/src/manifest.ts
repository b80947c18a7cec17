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

/** What every version has, and every kind. */
export const manifestKindSchema = z.looseObject({
  format: z.literal(ARCHIVE_FORMAT),
  version: z.int().min(1),
  kind: z.string().optional(),
});

const common = {
  format: z.literal(ARCHIVE_FORMAT),
  version: z.literal(ARCHIVE_VERSION),
  tool_version: z.string(),
  /** RFC 3339. */
  taken_at: z.string(),
  events: count,
  /** All others, in their order. */
  members: z.array(memberSchema).readonly(),
};

/** The last member of an archive of entries. */
export const manifestSchema = z.strictObject({
  ...common,
  kind: z.enum(["projections", "aggregate"]),
  domains: z.array(domainSchema).min(1).readonly(),
  /** Of an archive of one aggregate, which then has one domain. */
  aggregate_id: z.string().min(1).nullable(),
  bucket: z.strictObject({ name: z.string(), created: z.string(), last_revision: count }),
  entries: count,
});

const seq = z.int().min(1);

/** The last member of an archive of events. */
export const eventsManifestSchema = z.strictObject({
  ...common,
  kind: z.literal("events"),
  /** Whose messages alone are kept; null: all of the stream's. */
  domain: z.strictObject({ name: z.string().min(1), settings: domainSettingsSchema }).nullable(),
  stream: z.strictObject({
    name: z.string().min(1),
    /** With the name, its identity. */
    created: z.string(),
    /** As the server gave it. */
    config: z.record(z.string(), z.unknown()),
    first_seq: count,
    last_seq: count,
  }),
  /** What the archive speaks for; empty (`to_seq` is one less than `from_seq`) where nothing was new. */
  range: z.strictObject({ from_seq: seq, to_seq: count }),
  /** Sequences of the range that held no message any more, both ends included. */
  deleted: z.array(z.tuple([seq, seq])).readonly(),
  /** Sequences of the range with a message of others than the domain. */
  others: count,
  /** The archive that this one goes on from; null of a first one. */
  parent: z.strictObject({ sha256, to_seq: count }).nullable(),
  /** SHA-256 of all lines, in order. */
  content_sha256: sha256,
});

export type Manifest = z.infer<typeof manifestSchema>;
export type EventsManifest = z.infer<typeof eventsManifestSchema>;
export type ManifestMember = z.infer<typeof memberSchema>;
/** What is known before the members are. */
export type ManifestHead = Omit<Manifest, "format" | "version" | "taken_at" | "entries" | "events" | "members">;

export function recordsIn(folder: "entries/" | "events/", members: readonly ManifestMember[]): number {
  return members.reduce((sum, { path, records }) => sum + (path.startsWith(folder) ? records : 0), 0);
}

/** Of an archive of entries, once its members are there. */
export function entriesManifest(head: ManifestHead): (members: readonly ManifestMember[]) => Manifest {
  const takenAt = new Date().toISOString();
  return (members) => ({
    ...{ format: ARCHIVE_FORMAT, version: ARCHIVE_VERSION, taken_at: takenAt },
    ...head,
    entries: recordsIn("entries/", members),
    events: recordsIn("events/", members),
    members,
  });
}
