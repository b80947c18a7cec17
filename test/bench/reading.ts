import { z } from "zod";

const amount = z.number().nonnegative();

/** What one measurement gave. */
export const readingSchema = z.object({
  round: z.int(),
  events: amount,
  /** What rates and ratios are made of. */
  seconds: amount,
  /** CPU time of what does the work; of the servers meanwhile; of what only coordinates. */
  workerMicros: amount,
  serverMicros: amount,
  coordinatorMicros: amount,
  /** The most memory that one of the processes which do the work had resident. */
  peakBytes: amount,
  /** Entries that were written; null where nothing counts them. */
  entries: amount.nullable(),
  /** As planned: units that fold, and how events came to them; null where it is no command. */
  units: z.int().nullable(),
  source: z.enum(["direct", "shuffle"]).nullable(),
  /** From the start of the command to its end, and to its first unit at work; null where it is no command. */
  commandSeconds: amount.nullable(),
  firstUnitSeconds: amount.nullable(),
  /** Time an event in each stage, in microseconds: of workers on the clock, of the stages' probe of the processor. */
  stages: z.record(z.string(), amount).nullable(),
  /** Time an event of the workers' main threads in each function itself, in microseconds; absent where none was profiled. */
  functions: z.record(z.string(), amount).optional(),
});

export type Reading = z.infer<typeof readingSchema>;
/** Before it is known in which round it was taken. */
export type Measured = Omit<Reading, "round">;

export function eventsPerSecond({ events, seconds }: Measured): number {
  return events / seconds;
}

/** Of workers, coordinator and servers together, an event. */
export function cpuMicrosPerEvent({ events, workerMicros, serverMicros, coordinatorMicros }: Measured): number {
  return (workerMicros + serverMicros + coordinatorMicros) / events;
}
