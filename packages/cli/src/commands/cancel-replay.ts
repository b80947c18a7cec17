import { cancelRun, forgetSegments } from "@cim-replay/coordinator";
import { silentLog } from "@cim-replay/core";
import { audit, auditedTarget } from "../audit.ts";
import type { CommandModule } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { json, runJson } from "../output/run-record.ts";
import { pickUnfinishedRun } from "../replay/pick-run.ts";
import { withLedger } from "../session.ts";
import { callFlag, connectionSettings } from "../settings/flags.ts";
import { text } from "../settings/values.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = {
  run: shared.run,
  domain: shared.domain,
  reason: callFlag("--reason <text>", "kept in the run's record", text),
  format: shared.format,
};

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, connectionSettings),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    return withLedger(loaded.settings, invocation.tool, async (ledger, client) => {
      const { id } = await pickUnfinishedRun(ledger, { tool: invocation.tool, run: given.run, domain: given.domain });
      const cancelled = await cancelRun(ledger, id, given.reason ?? "Cancelled by cancel-replay.");
      await forgetSegments({ client, log: silentLog }, id);
      const audited = {
        command: invocation.tool,
        step: "done" as const,
        ...auditedTarget(cancelled.settings),
        runId: id,
      };
      const note = (line: string) => invocation.screen.note(line);
      await audit(client, { ...audited, outcome: cancelled.reason }, note);
      invocation.print(
        given.format === "json"
          ? json(runJson(cancelled))
          : `Run ${id} is cancelled. Entries that it had written stay as they are.`,
      );
      return EXIT.done;
    });
  },
};
