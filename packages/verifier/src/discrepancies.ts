import { z } from "zod";

const DISCREPANCY_KINDS = [
  "source",
  "plan",
  "unit",
  "count",
  "stale",
  "content",
  "altered",
  "missing",
  "unwritten",
  "extra",
  "foreign",
  "entries",
  "value",
  "quarantine",
  "routing",
] as const;
export type DiscrepancyKind = (typeof DISCREPANCY_KINDS)[number];

/** A certificate names this many; the others are counted. */
const MAX_LISTED = 1_000;
const MAX_SHOWN_CHARACTERS = 300;

const count = z.int().nonnegative();

const discrepancySchema = z.strictObject({
  kind: z.enum(DISCREPANCY_KINDS),
  /** Of an entry in the bucket. */
  key: z.string().nullable(),
  partition: count.nullable(),
  /** Of the stream. */
  sequence: count.nullable(),
  expected: z.string().nullable(),
  found: z.string().nullable(),
  /** One sentence for people. */
  text: z.string(),
});
export type Discrepancy = z.infer<typeof discrepancySchema>;

export const discrepanciesSchema = z.strictObject({
  total: count,
  byKind: z.partialRecord(z.enum(DISCREPANCY_KINDS), count),
  first: z.array(discrepancySchema).max(MAX_LISTED),
});

export const checkSchema = z.strictObject({
  verdict: z.enum(["holds", "fails", "not compared"]),
  /** Why it was not compared, or not wholly. */
  why: z.string().nullable(),
  /** What was counted, by name. */
  evidence: z.record(z.string(), count),
});
export type Check = z.infer<typeof checkSchema>;

interface CheckOutcome {
  readonly kinds: readonly DiscrepancyKind[];
  readonly compared: boolean;
  readonly why?: string | null;
  readonly evidence: Readonly<Record<string, number>>;
}

/** What was found wrong: all of it counted, the first of it kept, so that memory stays bounded however much it is. */
export class Discrepancies {
  total = 0;
  readonly #byKind = new Map<DiscrepancyKind, number>();
  readonly #first: Discrepancy[] = [];

  add(kind: DiscrepancyKind, text: string, about: Partial<Omit<Discrepancy, "kind" | "text">> = {}): void {
    this.total += 1;
    this.#byKind.set(kind, this.count(kind) + 1);
    if (this.#first.length >= MAX_LISTED) return;
    const { key = null, partition = null, sequence = null, expected = null, found = null } = about;
    this.#first.push({
      ...{ kind, key, partition, sequence, text: shown(text) },
      expected: expected === null ? null : shown(expected),
      found: found === null ? null : shown(found),
    });
  }

  count(kind: DiscrepancyKind): number {
    return this.#byKind.get(kind) ?? 0;
  }

  /** What a check comes to: it answers for the kinds that are its own. */
  check({ kinds, compared, why = null, evidence }: CheckOutcome): Check {
    const fails = kinds.some((kind) => this.count(kind) > 0);
    return { verdict: fails ? "fails" : compared ? "holds" : "not compared", why, evidence };
  }

  toJSON(): z.infer<typeof discrepanciesSchema> {
    return { total: this.total, byKind: Object.fromEntries(this.#byKind), first: this.#first };
  }
}

/** Whole characters only: half of one has no canonical form. */
function shown(text: string): string {
  const whole = text.toWellFormed();
  if (whole.length <= MAX_SHOWN_CHARACTERS) return whole;
  return `${whole.slice(0, MAX_SHOWN_CHARACTERS).toWellFormed()}… (${whole.length} characters)`;
}
