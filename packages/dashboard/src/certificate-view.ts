import { z } from "zod";

const count = z.int().nonnegative();
const checkSchema = z.object({
  verdict: z.string(),
  why: z.string().nullable(),
  evidence: z.record(z.string(), count),
});

/** Of the entries in one bucket. */
const ofTarget = {
  verdict: z.enum(["holds", "fails", "incomplete"]),
  bucket: z.string(),
  projection: z.object({ name: z.string(), sha256: z.string() }).nullable(),
  checks: z.object({
    coverage: checkSchema,
    counts: checkSchema,
    content: checkSchema,
    readBack: checkSchema,
    refold: checkSchema,
  }),
  leftOut: z.object({ total: count }),
  discrepancies: z.object({
    total: count,
    first: z.array(
      z.object({
        kind: z.string(),
        key: z.string().nullable(),
        sequence: count.nullable(),
        expected: z.string().nullable(),
        found: z.string().nullable(),
        text: z.string(),
      }),
    ),
  }),
};
const targetSchema = z.object(ofTarget);
export type TargetView = z.infer<typeof targetSchema>;

/** What is shown of a certificate. Its whole shape is the verifier's business: docs/certificate.md. */
const schema = z.object({
  ...ofTarget,
  level: z.string(),
  issuedAt: z.string(),
  tool: z.object({ version: z.string() }),
  planSha256: z.string().nullable(),
  range: z.object({ fromSeq: count, toSeq: count }),
  /** Of a run with several targets: all but the first. */
  otherTargets: z.array(targetSchema).default([]),
  signature: z.object({ algorithm: z.string(), keyFingerprint: z.string() }).optional(),
});
export type CertificateView = z.infer<typeof schema>;

/** Null where it is none that this version knows. */
export function certificateView(value: unknown): CertificateView | null {
  return schema.safeParse(value).data ?? null;
}
