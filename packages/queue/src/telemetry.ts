import type { Telemetry } from "bullmq";
import { BullMQOtel } from "bullmq-otel";
import type { QueueOptions } from "./options.ts";

/** Carries the sender's span with the job, so that a unit's spans lie below its run's, whichever process does it. */
export function telemetryOf({ traced }: QueueOptions): { telemetry?: Telemetry } {
  return traced ? { telemetry: new BullMQOtel({ tracerName: "cim-replay" }) } : {};
}
