import { errorMessage } from "@cim-replay/core";
import type { NatsClient } from "@cim-replay/nats";
import { type Audited, audit } from "./audit.ts";

export interface AuditedWork {
  readonly command: string;
  /** Each gets records of its own, so that a domain's history is whole. */
  readonly domains: readonly string[];
  readonly target: string;
  readonly runId?: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly note: (line: string) => void;
}

/** Does the work, with a record in the audit log of its start, and of how it ended: `done` or not, and in words. */
export async function whileAudited<Result>(
  client: NatsClient,
  { command, domains, target, runId, parameters, note }: AuditedWork,
  work: () => Promise<Result>,
  outcomeOf: (result: Result) => string,
): Promise<Result> {
  const record = async ({ isDone, ...facts }: Pick<Audited, "step" | "outcome"> & { isDone?: boolean }) => {
    const all = { ...parameters, ...(isDone !== undefined && { done: isDone }) };
    const of = { command, target, runId: runId ?? null, parameters: all };
    for (const domain of domains) await audit(client, { ...of, domain, ...facts }, note);
  };
  await record({ step: "started" });
  try {
    const result = await work();
    await record({ step: "ended", isDone: true, outcome: outcomeOf(result) });
    return result;
  } catch (error) {
    await record({ step: "ended", isDone: false, outcome: errorMessage(error) });
    throw error;
  }
}
