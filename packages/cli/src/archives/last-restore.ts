import { AuditLog, type NatsClient } from "@cim-replay/nats";
import { z } from "zod";

/** What a restore says of itself in the audit log. */
const parametersSchema = z.object({
  done: z.literal(true),
  takenAt: z.iso.datetime(),
  from: z.string(),
  aggregateId: z.string().nullable(),
});

export interface RecordedRestore {
  readonly atMs: number;
  /** When what was restored was the bucket's state. */
  readonly takenAtMs: number;
  /** The bucket that the archive was taken from. */
  readonly from: string;
  readonly aggregateId: string | null;
}

const COMMANDS = ["restore-projections", "restore-checkpoint"];

/** Restores of a domain into a bucket that were done, newest first. */
export async function recordedRestores(client: NatsClient, domain: string, bucket: string): Promise<RecordedRestore[]> {
  const log = await AuditLog.open(client, { create: false });
  const restores: RecordedRestore[] = [];
  for await (const { command, target, at, parameters } of log?.read(domain) ?? []) {
    if (target !== bucket || !COMMANDS.includes(command)) continue;
    const { data } = parametersSchema.safeParse(parameters);
    if (!data) continue;
    const { takenAt, from, aggregateId } = data;
    restores.push({ atMs: Date.parse(at), takenAtMs: Date.parse(takenAt), from, aggregateId });
  }
  return restores.sort((a, b) => b.atMs - a.atMs);
}
