import { z } from "zod";
import type { NatsClient } from "./connect.ts";

// Not under `cim.`: streams that keep `cim.>` would store them as events.
const controlSubject = (runId: string) => `_CIM_REPLAY.control.${runId}`;
const liveSubject = (runId: string) => `_CIM_REPLAY.live.${runId}`;

const controlSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("checkpoint") }),
  /** For so long, unless the run ends before; the parts go to the subject of `profileId`. */
  z.object({ kind: z.literal("profile"), profileId: z.string(), durationMs: z.number().positive() }),
  z.object({ kind: z.literal("profile-end"), profileId: z.string() }),
]);

const liveReportSchema = z.object({
  workerId: z.string(),
  runId: z.string(),
  unit: z.string(),
  epoch: z.number(),
  readSeq: z.number(),
  delivered: z.number(),
  applied: z.number(),
  quarantined: z.number(),
  entriesWritten: z.number(),
  lastEventAtMs: z.number().nullable(),
  memoryBytes: z.number(),
  inFlightBytes: z.number(),
  stageMicros: z.object({
    fetch: z.number(),
    fold: z.number(),
    checkpoint: z.number(),
    write: z.number(),
  }),
  recoveries: z.number(),
});

/** Asks the workers of a run for something. */
export type ControlMessage = z.infer<typeof controlSchema>;

/** What a worker says of a unit while it is at work: for watching only, the ledger holds what is durable. */
export type LiveReport = z.infer<typeof liveReportSchema>;

/** Fire and forget: reaches the workers that listen now, and nobody while the connection is down. */
export function sendControl(client: NatsClient, runId: string, message: ControlMessage): void {
  send(client, controlSubject(runId), message);
}

/** Returns what ends it. */
export function onControl(client: NatsClient, runId: string, handler: (message: ControlMessage) => void): () => void {
  return listen(client, controlSubject(runId), controlSchema, handler);
}

/** Fire and forget, as `sendControl`. */
export function publishLive(client: NatsClient, report: LiveReport): void {
  send(client, liveSubject(report.runId), report);
}

/** Returns what ends it. */
export function onLive(client: NatsClient, runId: string, handler: (report: LiveReport) => void): () => void {
  return listen(client, liveSubject(runId), liveReportSchema, handler);
}

function send(client: NatsClient, subject: string, message: unknown): void {
  if (client.nc.isClosed() || client.nc.isDraining()) return;
  client.nc.publish(subject, JSON.stringify(message));
}

/** Messages that do not parse are dropped: they may come from another version. */
function listen<T>(
  client: NatsClient,
  subject: string,
  schema: z.ZodType<T>,
  handler: (message: T) => void,
): () => void {
  const subscription = client.nc.subscribe(subject, {
    callback: (error, message) => {
      if (error) return;
      const parsed = schema.safeParse(jsonOrUndefined(message.string()));
      if (parsed.success) handler(parsed.data);
    },
  });
  return () => subscription.unsubscribe();
}

function jsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
