import { type EventFilter, errorMessage, parseTime } from "@cim-replay/core";
import { z } from "zod";
import { subjectProblem } from "./subject-pattern.ts";

const MOST_VALUES = 10_000;

const text = z.string("not a text").min(1, "is empty");
const list = <Item extends z.ZodType>(item: Item) =>
  z.array(item, "not a list").min(1, "names nothing: leave it out, or name something").max(MOST_VALUES).optional();

const domain = text.refine(
  (name) => !/[\s.*>]/.test(name),
  "no domain's name: it has a dot, a wildcard or white space",
);
const subject = text.superRefine((pattern, context) => {
  const problem = subjectProblem(pattern);
  if (problem !== null) context.addIssue({ code: "custom", message: `"${pattern}" is no subject: it has ${problem}` });
});

const time = z.union([z.string(), z.number()], "not a time").transform((written, context) => {
  try {
    return parseTime(String(written));
  } catch (error) {
    const [, why = errorMessage(error)] = /: (it is no time\. .*)$/s.exec(errorMessage(error)) ?? [];
    context.addIssue({ code: "custom", message: `"${written}": ${why}` });
    return z.NEVER;
  }
});

const seq = z.int("not a sequence: a whole number from 1 on").positive("not a sequence: a whole number from 1 on");
const SEQUENCES = "not a sequence, nor a range like 10-20 or {from: 10, to: 20}";
const sequences = z
  .union(
    [
      seq.transform((only) => ({ fromSeq: only, toSeq: only })),
      z
        .string()
        .regex(/^\d+(-\d+)?$/)
        .transform((range) => {
          const [fromSeq = 0, toSeq = fromSeq] = range.split("-").map(Number);
          return { fromSeq, toSeq };
        }),
      z.strictObject({ from: seq, to: seq }).transform(({ from, to }) => ({ fromSeq: from, toSeq: to })),
    ],
    SEQUENCES,
  )
  .refine(({ fromSeq }) => fromSeq >= 1, "sequences begin at 1")
  .refine(({ fromSeq, toSeq }) => fromSeq <= toSeq, "ends before it begins");

const timeRange = z
  .strictObject({ start: time.optional(), end: time.optional() }, "not a range of times: {start: …, end: …}")
  .refine(({ start, end }) => start !== undefined || end !== undefined, "has neither start nor end")
  .refine(({ start, end }) => (start ?? -Infinity) <= (end ?? Infinity), "ends before it begins");

/** The file as people write it. */
export const filterFileSchema = z
  .strictObject(
    {
      event_types: list(text),
      domains: list(domain),
      time_range: timeRange.optional(),
      aggregate_ids: list(text),
      subjects: list(subject),
      sequences: list(sequences),
      correlation_ids: list(text),
      condition: text.optional(),
    },
    "not an object of criteria",
  )
  .transform(
    ({ time_range: times, ...written }): EventFilter => ({
      event_types: written.event_types ?? null,
      domains: written.domains ? [...new Set(written.domains)] : null,
      time_range: times ? { startMs: times.start ?? null, endMs: times.end ?? null } : null,
      aggregate_ids: written.aggregate_ids ?? null,
      subjects: written.subjects ?? null,
      sequences: written.sequences ?? null,
      correlation_ids: written.correlation_ids ?? null,
      condition: written.condition ?? null,
    }),
  );

export const CRITERIA = [
  ...["event_types", "domains", "time_range", "aggregate_ids", "subjects", "sequences", "correlation_ids", "condition"],
];
