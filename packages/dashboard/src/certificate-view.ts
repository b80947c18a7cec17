import { z } from "zod";

const count = z.int().nonnegative();
const checkSchema = z.object({
  verdict: z.string(),
  why: z.string().nullable(),
  evidence: z.record(z.string(), count),
});

/** What is shown of a certificate. Its whole shape is the verifier's business: docs/certificate.md. */
const schema = z.object({
  verdict: z.enum(["holds", "fails", "incomplete"]),
  level: z.string(),
  issuedAt: z.string(),
  tool: z.object({ version: z.string() }),
  planSha256: z.string().nullable(),
  projection: z.object({ name: z.string(), sha256: z.string() }).nullable(),
  range: z.object({ fromSeq: count, toSeq: count }),
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
  signature: z.object({ algorithm: z.string(), keyFingerprint: z.string() }).optional(),
});
export type CertificateView = z.infer<typeof schema>;

/** Null where it is none that this version knows. */
export function certificateView(value: unknown): CertificateView | null {
  return schema.safeParse(value).data ?? null;
}
