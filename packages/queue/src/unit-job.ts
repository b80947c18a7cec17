import { z } from "zod";

/** A job's whole data: which unit, and the how manieth time it is sent. Never payloads. */
export const unitJobSchema = z.strictObject({
  runId: z.string().min(1),
  unit: z.string().min(1),
  dispatch: z.int().nonnegative(),
});
export type UnitJob = z.infer<typeof unitJobSchema>;

/** BullMQ drops a job whose id it holds already: that makes sending a unit twice harmless. */
export function jobId(job: UnitJob): string {
  return `${job.runId}-${job.unit}-${job.dispatch}`;
}
