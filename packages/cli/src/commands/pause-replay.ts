import { setTimeout as sleep } from "node:timers/promises";
import { isCoordinated, pauseRun, readProgress } from "@cim-replay/coordinator";
import { formatCount } from "@cim-replay/core";
import type { CommandModule } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { json, runJson } from "../output/run-record.ts";
import { pickUnfinishedRun } from "../replay/pick-run.ts";
import { withLedger } from "../session.ts";
import { connectionSettings } from "../settings/flags.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = { run: shared.run, domain: shared.domain, format: shared.format };
/** Workers look at the run's state with every heartbeat, and then write a checkpoint. */
const SETTLE_MS = 30_000;

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, connectionSettings),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    return withLedger(loaded.settings, invocation.tool, async (ledger, client) => {
      const { id, settings } = await pickUnfinishedRun(ledger, {
        tool: invocation.tool,
        run: given.run,
        domain: given.domain,
      });
      const paused = await pauseRun(ledger, id);
      const deadline = performance.now() + SETTLE_MS;
      let progress = await readProgress(client, ledger, id);
      while (progress.units.running > 0 && performance.now() < deadline) {
        await sleep(200);
        progress = await readProgress(client, ledger, id);
      }
      const { durableEvents, totalEvents } = progress;
      const { domain, target } = settings;
      // Where its command is gone, nobody is there to be told to go on.
      const isWatched = await isCoordinated(ledger, { domain, target, runId: id });
      const next = `${isWatched ? "resume-replay" : "event-replay --resume"} --run ${id}`;
      invocation.print(
        given.format === "json"
          ? json(runJson(paused))
          : `Run ${id} is paused; ${formatCount(durableEvents)} of ${formatCount(totalEvents)} events are checkpointed. Go on with \`${next}\`.`,
      );
      return EXIT.done;
    });
  },
};
