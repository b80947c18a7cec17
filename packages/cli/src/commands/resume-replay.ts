import { continueRun, isCoordinated } from "@cim-replay/coordinator";
import { ReplayError, type RunRecord } from "@cim-replay/core";
import type { Ledger } from "@cim-replay/nats";
import type { CommandModule } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { json, runJson } from "../output/run-record.ts";
import { pickUnfinishedRun } from "../replay/pick-run.ts";
import { withLedger } from "../session.ts";
import { connectionSettings } from "../settings/flags.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = { run: shared.run, domain: shared.domain, format: shared.format };

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, connectionSettings),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    return withLedger(loaded.settings, invocation.tool, async (ledger) => {
      const run = await pickUnfinishedRun(ledger, { tool: invocation.tool, run: given.run, domain: given.domain });
      await requireCoordinator(ledger, run);
      const running = await continueRun(ledger, run.id);
      invocation.print(
        given.format === "json"
          ? json(runJson(running))
          : `Run ${run.id} goes on. Watch it with \`replay-status --run ${run.id}\`.`,
      );
      return EXIT.done;
    });
  },
};

/** A paused run goes on in the process that coordinates it; where that is gone, another must take the run over. */
async function requireCoordinator(ledger: Ledger, { id, state, settings }: RunRecord): Promise<void> {
  const { domain, target } = settings;
  if (state !== "failed" && (await isCoordinated(ledger, { domain, target, runId: id }))) return;
  throw new ReplayError(
    `Cannot let run ${id} go on: it is ${state}, and no process coordinates it any more. Take it over with \`event-replay --resume --run ${id}\`.`,
  );
}
