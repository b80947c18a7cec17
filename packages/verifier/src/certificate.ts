import { createHash } from "node:crypto";
import { canonicalJson, errorMessage, type Plan, ReplayError } from "@cim-replay/core";
import { z } from "zod";
import { checkSchema, discrepanciesSchema } from "./discrepancies.ts";

/**
 * How much is compared. `counts`: the plan closes, counts are the server's, entries are what was written. `content`: and the
 * worker was handed what the stream holds. `full`: and folding it again gives the same values.
 */
export const LEVELS = ["counts", "content", "full"] as const;
export type Level = (typeof LEVELS)[number];

const CHECKS = ["coverage", "counts", "content", "readBack", "refold"] as const;
const MAX_LISTED = 1_000;

const count = z.int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** An event that the refold leaves out as the run did, because it cannot be decoded or folded. */
const leftOutSchema = z.strictObject({
  sequence: count,
  aggregateId: z.string().nullable(),
  kind: z.string(),
  reason: z.string(),
});
export type LeftOut = z.infer<typeof leftOutSchema>;

/** An entry that is right and old: the stream has later events of its aggregate than its run could read. */
const behindSchema = z.strictObject({ key: z.string(), events: count, lastSeq: count });

const begunSchema = z.strictObject({ key: z.string(), events: count });

/** What is said of the entries in one bucket. */
const ofTarget = {
  bucket: z.string(),
  projection: z.strictObject({ name: z.string(), sha256: z.string() }).nullable(),
  /** Runs among those that wrote the entries which took a selection of events: their entries are held to it. */
  selections: z.array(z.strictObject({ run: z.string(), filterSha256: sha256 })).optional(),
  checks: z.strictObject({
    coverage: checkSchema,
    counts: checkSchema,
    content: checkSchema,
    readBack: checkSchema,
    refold: checkSchema,
  }),
  /** The verifier's own digests; docs/certificate.md defines them. */
  partitions: z.array(
    z.strictObject({
      index: count,
      content: z.strictObject({ events: count, sha256 }).nullable(),
      entries: z.strictObject({ entries: count, sha256 }).nullable(),
    }),
  ),
  leftOut: z.strictObject({ total: count, first: z.array(leftOutSchema).max(MAX_LISTED) }),
  behind: z.strictObject({
    ...{ entries: count, events: count, first: z.array(behindSchema).max(MAX_LISTED) },
    /** Only where there are some: aggregates that began after the run, and so have no entry. */
    begun: z.strictObject({ aggregates: count, events: count, first: z.array(begunSchema).max(MAX_LISTED) }).optional(),
  }),
  /** Only where events of entries have gone from the stream's front: nobody can fold those entries again. */
  expired: z
    .strictObject({ entries: count.positive(), firstSeq: count, first: z.array(z.string()).max(MAX_LISTED) })
    .optional(),
  discrepancies: discrepanciesSchema,
  verdict: z.enum(["holds", "fails", "incomplete"]),
};
const targetPartSchema = z.strictObject(ofTarget);
export type TargetPart = z.infer<typeof targetPartSchema>;

export const certificateSchema = z.strictObject({
  ...ofTarget,
  version: z.literal(1),
  tool: z.strictObject({ name: z.literal("cim-replay"), version: z.string() }),
  /** Null where a bucket is certified and no run. */
  runId: z.string().nullable(),
  domain: z.string(),
  /** Null: the whole domain. */
  aggregateId: z.string().nullable(),
  /** As it was when it was verified. */
  stream: z.strictObject({ name: z.string(), created: z.string(), firstSeq: count, lastSeq: count }),
  range: z.strictObject({ fromSeq: count, toSeq: count }),
  /** Of the plan's canonical JSON. */
  planSha256: sha256.nullable(),
  /** The moment that all entries were held to, where one was asked for. */
  asOf: z
    .strictObject({ time: z.iso.datetime(), basis: z.enum(["event", "server"]), toSeq: count.optional() })
    .optional(),
  level: z.enum(LEVELS),
  /**
   * Only of a run with several targets: the same of each but the first, which stands above. The verdict above is then that
   * of all together.
   */
  otherTargets: z.array(targetPartSchema).min(1).optional(),
  issuedAt: z.iso.datetime(),
  signature: z
    .strictObject({
      algorithm: z.literal("Ed25519"),
      /** SHA-256 of the public key in SPKI DER, hex. */
      keyFingerprint: sha256,
      /** Base64, over the canonical JSON of all the rest. */
      value: z.string(),
    })
    .optional(),
});
export type Certificate = z.infer<typeof certificateSchema>;

type Judged = Pick<TargetPart, "checks" | "discrepancies" | "expired">;

/**
 * `holds`: nothing found wrong by any check; what was not compared says so, and is no failure. `incomplete`: so too, but
 * entries are there that can never be compared again. Of several targets, the worst that is found of one.
 */
export function verdictOf(
  judged: Judged & { readonly otherTargets?: readonly Judged[] | undefined },
): TargetPart["verdict"] {
  const verdicts = [judged, ...(judged.otherTargets ?? [])].map(verdictOfOne);
  return (["fails", "incomplete"] as const).find((verdict) => verdicts.includes(verdict)) ?? "holds";
}

function verdictOfOne({ checks, discrepancies, expired }: Judged): TargetPart["verdict"] {
  const failed = CHECKS.some((check) => checks[check].verdict === "fails");
  if (failed || discrepancies.total > 0) return "fails";
  return expired === undefined ? "holds" : "incomplete";
}

/** What the certificate says of each target, the first one's own verdict with it. */
export function targetParts(certificate: Certificate): [TargetPart, ...TargetPart[]] {
  const { otherTargets = [] } = certificate;
  return [{ ...partOf(certificate), verdict: verdictOfOne(certificate) }, ...otherTargets];
}

/** One certificate of several for the same run, which differ in their targets. */
export function joined([first, ...others]: readonly [Certificate, ...Certificate[]]): Certificate {
  if (others.length === 0) return first;
  const otherTargets = others.map(partOf);
  return { ...first, otherTargets, verdict: verdictOf({ ...first, otherTargets }) };
}

function partOf(certificate: Certificate): TargetPart {
  const { bucket, projection, selections, checks, partitions, leftOut, behind, expired } = certificate;
  const { discrepancies, verdict } = certificate;
  return {
    ...{ bucket, projection, checks, partitions, leftOut, behind, discrepancies, verdict },
    ...(selections && { selections }),
    ...(expired && { expired }),
  };
}

/** The one text of a certificate: canonical JSON and an end of line. */
export function certificateText(certificate: Certificate): string {
  return `${canonicalJson(certificate)}\n`;
}

/**
 * Reads what `certificateText` wrote. Throws ReplayError where it is none, where it is not in its one form (two readers
 * might then read two things), or where its verdict is not what its checks say. Does not look at the signature.
 */
export function parseCertificate(text: string): Certificate {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw unreadable(`it is no JSON (${errorMessage(error)})`, error);
  }
  const parsed = certificateSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw unreadable(`${issue?.path.join(".") || "it"}: ${issue?.message ?? "not of its shape"}`, parsed.error);
  }
  const certificate = parsed.data;
  if (text.trim() !== canonicalJson(certificate)) throw unreadable("it is not in canonical form, so it was edited");
  const asChecked = (certificate.otherTargets ?? []).every((part) => part.verdict === verdictOf(part));
  if (certificate.verdict !== verdictOf(certificate) || !asChecked) {
    throw unreadable("its verdict is not what its checks say");
  }
  return certificate;
}

export function planSha256(plan: Plan): string {
  return createHash("sha256").update(canonicalJson(plan)).digest("hex");
}

function unreadable(why: string, cause?: unknown): ReplayError {
  return new ReplayError(`Cannot read the certificate: ${why}. Take the file as it was issued.`, { cause });
}
