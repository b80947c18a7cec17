import { entryKey, ReplayError } from "@cim-replay/core";
import { DeliverPolicy } from "@nats-io/jetstream";
import { nuid } from "nats";
import { z } from "zod";
import { type NatsClient, REQUEST_TIMEOUT_MS } from "./connect.ts";
import { PullInterrupted, pullToEnd } from "./message-pull.ts";
import { withRetries } from "./publish-retry.ts";
import { ensureStream } from "./stream-ensure.ts";

const STREAM = "CIM_REPLAY_AUDIT";
const READ_ATTEMPTS = 10;

const auditRecordSchema = z.object({
  version: z.literal(1),
  at: z.iso.datetime(),
  /** `user@host`. */
  who: z.string(),
  command: z.string(),
  /** Of what takes time there are two records: a process that dies leaves the first. */
  step: z.enum(["started", "ended", "done"]),
  domain: z.string(),
  target: z.string(),
  runId: z.string().nullable(),
  /** As they were in effect, defaults included. */
  parameters: z.record(z.string(), z.unknown()),
  outcome: z.string().nullable(),
  certificate: z.object({ level: z.string(), holds: z.boolean(), discrepancies: z.int() }).nullable(),
});
export type AuditRecord = z.infer<typeof auditRecordSchema>;

/** Who did what to projections, and how it ended. The server refuses to delete single records of it, and to purge it. */
export class AuditLog {
  readonly #client: NatsClient;

  private constructor(client: NatsClient) {
    this.#client = client;
  }

  /** Null where nothing was ever recorded here and `create` is false. */
  static async open(client: NatsClient, { create }: { create: boolean }): Promise<AuditLog | null> {
    const config = {
      name: STREAM,
      subjects: [subjectOf("*")],
      deny_delete: true,
      deny_purge: true,
    };
    return (await ensureStream(client, config, create)) ? new AuditLog(client) : null;
  }

  /** Adds the record once, however often it has to be sent. */
  async append(record: AuditRecord): Promise<void> {
    const options = { msgID: nuid.next(), timeout: REQUEST_TIMEOUT_MS };
    const subject = subjectOfDomain(record.domain);
    await withRetries(this.#client, "write the audit record", () =>
      this.#client.js.publish(subject, JSON.stringify(record), options),
    );
  }

  /** All records, or one domain's, oldest first. Throws ReplayError at one that is none. */
  async *read(domain?: string): AsyncGenerator<AuditRecord> {
    const filter = domain === undefined ? {} : { filter_subject: subjectOfDomain(domain) };
    let reached = 0;
    for (let attempt = 1; ; attempt++) {
      const config = { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: reached + 1, ...filter };
      try {
        for await (const batch of pullToEnd(this.#client, STREAM, config)) {
          for (const { seq, data } of batch) {
            yield parse(seq, data);
            reached = seq;
          }
        }
        return;
      } catch (error) {
        if (!(error instanceof PullInterrupted) || attempt === READ_ATTEMPTS) throw error;
      }
    }
  }
}

function subjectOf(domainToken: string): string {
  return `_CIM_REPLAY.audit.${domainToken}`;
}

function subjectOfDomain(domain: string): string {
  return subjectOf(entryKey("audit", domain).slice("audit.".length));
}

function parse(seq: number, data: Uint8Array): AuditRecord {
  try {
    return auditRecordSchema.parse(JSON.parse(new TextDecoder().decode(data)));
  } catch (cause) {
    throw new ReplayError(
      `Cannot read audit record ${seq}: it is none of this version's. Look at stream ${STREAM}; a newer version may have written it.`,
      { cause },
    );
  }
}
