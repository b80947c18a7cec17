import { diagnose, type LockFacts, readLockFacts } from "@cim-replay/coordinator";
import { UnreachableError } from "@cim-replay/core";
import { type NatsClient, type ReadConsumer, readConsumers } from "@cim-replay/nats";
import type { UnitQueue } from "@cim-replay/queue";
import type { CommandModule } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { locksJson, locksText } from "../output/locks-text.ts";
import { json } from "../output/run-record.ts";
import { pickRun } from "../replay/pick-run.ts";
import { openQueue, withLedger } from "../session.ts";
import type { Settings } from "../settings/definitions.ts";
import { callFlag, connectionSettings } from "../settings/flags.ts";
import { flag } from "../settings/values.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = {
  run: shared.run,
  domain: shared.domain,
  showLocks: callFlag("--show-locks", "also shows who holds what: lease, units, jobs, consumers", flag),
  format: shared.format,
};

/** Says what keeps a run from going on, and what to do. */
export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, ["queuePrefix", ...connectionSettings]),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    return withLedger(loaded.settings, invocation.tool, async (ledger, client) => {
      const { id } = await pickRun(ledger, { tool: invocation.tool, run: given.run, domain: given.domain });
      const facts = await withQueueIfThere(loaded.settings, (queue) => readLockFacts(ledger, queue, id));
      const diagnosis = diagnose(facts, Date.now());
      const consumers = given.showLocks ? await consumersOf(client, facts) : null;
      invocation.print(
        given.format === "json"
          ? json(locksJson(facts, diagnosis, consumers))
          : locksText(facts, diagnosis, consumers, Date.now()),
      );
      return EXIT.done;
    });
  },
};

/** A Redis that is away is one of the things to be found out. */
async function withQueueIfThere<Result>(
  settings: Settings,
  work: (queue: UnitQueue | null) => Promise<Result>,
): Promise<Result> {
  const queue = await openQueue(settings).catch((error: unknown) => {
    if (error instanceof UnreachableError) return null;
    throw error;
  });
  try {
    return await work(queue);
  } finally {
    await queue?.close();
  }
}

/** None where the stream is gone: what became of it is not this command's to say. */
async function consumersOf(client: NatsClient, { run }: LockFacts): Promise<ReadConsumer[]> {
  try {
    return await readConsumers(client, run.settings.domainSettings.stream);
  } catch (error) {
    if (error instanceof UnreachableError) throw error;
    return [];
  }
}
