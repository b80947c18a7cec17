import { hostname, userInfo } from "node:os";
import { bucketsOf, errorMessage, type RunSettings } from "@cim-replay/core";
import { AuditLog, type AuditRecord, type NatsClient } from "@cim-replay/nats";

const PATIENCE_MS = 5_000;

export type Audited = Pick<AuditRecord, "command" | "step" | "domain" | "target"> &
  Partial<Pick<AuditRecord, "runId" | "parameters" | "outcome" | "certificate">> & {
    /** Whom it is done for, where that is somebody else than who runs this process. */
    readonly actsFor?: string;
  };

/** A run's domain and bucket as its records name them; of several, all of them. */
export function auditedTarget(settings: RunSettings): Pick<AuditRecord, "domain" | "target"> {
  return { domain: settings.domain, target: bucketsOf(settings).join(", ") };
}

/** Names, to a process that is started for somebody, whom it acts for. */
export const ACTS_FOR = "CIM_REPLAY_ACTS_FOR";

/** Records who does what. Where it cannot, that is said, and the work goes on: a full disk must not stop a repair. */
export async function audit(client: NatsClient, audited: Audited, note: (line: string) => void): Promise<void> {
  const { actsFor = process.env[ACTS_FOR], ...facts } = audited;
  const by = actsFor ? `${actsFor} by ${who()}` : who();
  const defaults = { runId: null, parameters: {}, outcome: null, certificate: null };
  const record = { version: 1 as const, at: new Date().toISOString(), who: by, ...defaults, ...facts };
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), PATIENCE_MS);
  try {
    const inTime = new Promise<never>((_, reject) => {
      late.signal.addEventListener("abort", () => reject(new Error("NATS does not answer")));
    });
    await Promise.race([write(client, record), inTime]);
  } catch (error) {
    note(
      `WARNING: this is not in the audit log: ${record.command} of ${record.domain}, ${record.step}. ` +
        `Cannot write the record: ${errorMessage(error)} Check stream CIM_REPLAY_AUDIT; the work goes on.`,
    );
  } finally {
    clearTimeout(timer);
  }
}

async function write(client: NatsClient, record: AuditRecord): Promise<void> {
  const log = await AuditLog.open(client, { create: true });
  await log?.append(record);
}

function who(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    // A user id without a name, as containers have it.
    return `uid-${process.getuid?.() ?? "unknown"}@${hostname()}`;
  }
}
