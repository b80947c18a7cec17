import { readProgress } from "@cim-replay/coordinator";
import type { CommandModule } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { progressLine } from "../output/progress-lines.ts";
import { progressRecord } from "../output/progress-record.ts";
import { json } from "../output/run-record.ts";
import { pickRun } from "../replay/pick-run.ts";
import { withLedger } from "../session.ts";
import { connectionSettings } from "../settings/flags.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = { run: shared.run, domain: shared.domain, format: shared.format };

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, connectionSettings),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    return withLedger(loaded.settings, invocation.tool, async (ledger, client) => {
      const { id } = await pickRun(ledger, { tool: invocation.tool, run: given.run, domain: given.domain });
      const progress = await readProgress(client, ledger, id);
      invocation.print(given.format === "json" ? json(progressRecord(progress, Date.now())) : progressLine(progress));
      return EXIT.done;
    });
  },
};
