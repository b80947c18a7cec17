import { z } from "zod";

const amount = z.number().nonnegative();

/** What V8 recorded, as `.cpuprofile` files hold it. */
const cpuProfileSchema = z.object({
  nodes: z.array(
    z.object({
      id: z.int(),
      callFrame: z.object({
        functionName: z.string(),
        scriptId: z.string(),
        url: z.string(),
        lineNumber: z.int(),
        columnNumber: z.int(),
      }),
      hitCount: z.int().optional(),
      children: z.array(z.int()).optional(),
      positionTicks: z.array(z.object({ line: z.int(), ticks: z.int() })).optional(),
      deoptReason: z.string().optional(),
    }),
  ),
  startTime: z.number(),
  endTime: z.number(),
  samples: z.array(z.int()).optional(),
  timeDeltas: z.array(z.number()).optional(),
});

/** What one worker says of itself for the time in which it was profiled. Times in milliseconds. */
export const workerProfileSchema = z.object({
  workerId: z.string(),
  runId: z.string(),
  /** "run-ended" also where the worker had no unit of the run any more. */
  endedBy: z.enum(["duration", "run-ended"]),
  wallMs: amount,
  cpuMs: amount,
  stages: z.object({ fetch: amount, fold: amount, checkpoint: amount, write: amount }),
  delivered: amount,
  applied: amount,
  entriesWritten: amount,
  recoveries: amount,
  eventLoop: z.object({ meanMs: amount, p99Ms: amount, maxMs: amount, utilization: amount }),
  gc: z.object({ count: amount, totalMs: amount, longestMs: amount }),
  inFlightBytes: z.object({ mean: amount, max: amount }),
  rssMaxBytes: amount,
  received: z.object({ bytes: amount, messages: amount }),
  /** Round trip to the NATS server while the worker was at work; null where it could not be measured. */
  rttMs: amount.nullable(),
  cpuProfile: cpuProfileSchema,
});

export type WorkerProfile = z.infer<typeof workerProfileSchema>;
export type CpuProfile = WorkerProfile["cpuProfile"];
