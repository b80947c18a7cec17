import { z } from "zod";

export const ENVELOPE_NAMES = [
  "flat",
  "stored",
  "either",
  "person",
  "infrastructure",
  "cim-events",
  "cim-graph",
  "bare",
  "auto",
] as const;

/** How one domain's events lie on a stream. */
export const domainSettingsSchema = z.strictObject({
  stream: z.string().min(1).default("EVENTS"),
  /** Named tokens `{domain} {aggregate_id} {event_type} {aggregate_type}`; `*` and `>` for others. */
  subject: z.string().min(1).default("events.{domain}.{aggregate_id}.{event_type}"),
  envelope: z.enum(ENVELOPE_NAMES).default("flat"),
  /**
   * A built-in's name or a file's path; absent: the built-in of the domain's name, else `aggregate`. Several, each with its
   * bucket (`./totals.ts=CIM_TOTALS`), are folded in one pass.
   */
  projection: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]).optional(),
});

export type DomainSettings = z.infer<typeof domainSettingsSchema>;
