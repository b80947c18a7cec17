import { acquireQuietTarget, commandHolder } from "@cim-replay/coordinator";
import { entryKey, formatCount, silentLog, UsageError } from "@cim-replay/core";
import { bucketFacts, deleteEntry, type EntryHead, Ledger, type NatsClient, readHeads } from "@cim-replay/nats";
import { type Audited, audit } from "../audit.ts";
import { canAsk, isSure } from "../ask.ts";
import type { CommandModule } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { json } from "../output/run-record.ts";
import { bucketOf } from "../settings/bucket-names.ts";
import { withNats } from "../session.ts";
import { callFlag, connectionSettings } from "../settings/flags.ts";
import { flag, text } from "../settings/values.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = {
  domain: callFlag("--domain <name>", "domain whose entries are deleted", text),
  aggregateId: callFlag("--aggregate-id <id>", "only this aggregate's entry", text),
  yes: callFlag("--yes", "deletes without asking", flag),
  format: shared.format,
};
/** Deletions on their way at once. */
const IN_FLIGHT = 256;

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, ["target", ...connectionSettings]),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const { domain, aggregateId } = given;
    const bucket = bucketOf(loaded.settings.target);
    if (domain === undefined) {
      throw new UsageError(
        "Cannot clear projections: no domain is named. Give --domain, and --aggregate-id for one entry.",
      );
    }
    if (!given.yes && !canAsk()) {
      throw new UsageError("Cannot clear projections without being sure: there is no terminal to ask on. Give --yes.");
    }
    return withNats(loaded.settings, invocation.tool, (client) =>
      whileNobodyReplays(client, { domain, target: bucket, note: (line) => invocation.screen.note(line) }, async () => {
        const heads = await liveEntries(client, bucket, domain, aggregateId);
        const what = `${formatCount(heads.length)} ${heads.length === 1 ? "entry" : "entries"} of ${domain} in bucket ${bucket}`;
        if (heads.length > 0 && !given.yes && !(await isSure(`Delete ${what}? [y/N] `))) {
          invocation.screen.note("Nothing was deleted.");
          return EXIT.failed;
        }
        const parameters = { aggregateId: aggregateId ?? null };
        const record = (facts: Pick<Audited, "step" | "outcome">) => {
          const of = { command: invocation.tool, domain, target: bucket, parameters };
          return audit(client, { ...of, ...facts }, (line) => invocation.screen.note(line));
        };
        await record({ step: "started" });
        const kept = await deleteAll(client, bucket, heads);
        const deleted = heads.length - kept;
        await record({ step: "ended", outcome: `${deleted} deleted, ${kept} kept` });
        invocation.print(
          given.format === "json"
            ? json({ bucket, domain, deleted, kept })
            : `Deleted ${formatCount(deleted)} of ${what}.`,
        );
        if (kept > 0)
          invocation.screen.note(
            `Cannot delete ${kept} of them: somebody wrote them meanwhile. Stop the domain's service and try again.`,
          );
        return kept > 0 ? EXIT.failed : EXIT.done;
      }),
    );
  },
};

/** Holds the domain's lease meanwhile: a run that is going on refuses this, none can begin, and one left alone is given up. */
async function whileNobodyReplays<Result>(
  client: NatsClient,
  { domain, target, note }: { domain: string; target: string; note: (line: string) => void },
  work: () => Promise<Result>,
): Promise<Result> {
  const ledger = await Ledger.open(client);
  if (!ledger) return work();
  const subject = { domain, target, runId: commandHolder("clear-projections") };
  const { lease, givenUp } = await acquireQuietTarget({ ledger, log: silentLog }, subject);
  try {
    for (const id of givenUp)
      note(`Run ${id} has no coordinator any more: it is given up, and its workers are stopped.`);
    return await work();
  } finally {
    await lease.release();
  }
}

async function liveEntries(
  client: NatsClient,
  bucket: string,
  domain: string,
  aggregateId: string | undefined,
): Promise<EntryHead[]> {
  if (!(await bucketFacts(client, bucket))) return [];
  const filter = aggregateId === undefined ? entryKey(domain, "x").replace(/x$/, ">") : entryKey(domain, aggregateId);
  const heads: EntryHead[] = [];
  for await (const batch of readHeads(client, bucket, filter)) {
    for (const head of batch) if (!head.deleted) heads.push(head);
  }
  return heads;
}

/** How many were not deleted, because they are no longer what was counted. */
async function deleteAll(client: NatsClient, bucket: string, heads: readonly EntryHead[]): Promise<number> {
  let kept = 0;
  for (let at = 0; at < heads.length; at += IN_FLIGHT) {
    const outcomes = await Promise.all(
      heads.slice(at, at + IN_FLIGHT).map(({ key, revision }) => deleteEntry(client, bucket, key, revision)),
    );
    kept += outcomes.filter((isDeleted) => !isDeleted).length;
  }
  return kept;
}
