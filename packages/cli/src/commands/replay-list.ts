import type { CommandModule } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { json, runJson } from "../output/run-record.ts";
import { runListText } from "../output/run-text.ts";
import { withNats } from "../session.ts";
import { callFlag, connectionSettings } from "../settings/flags.ts";
import { text } from "../settings/values.ts";
import { Ledger } from "@cim-replay/nats";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = { domain: callFlag("--domain <name>", "only runs of this domain", text), format: shared.format };

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, connectionSettings),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    return withNats(loaded.settings, invocation.tool, async (client) => {
      const ledger = await Ledger.open(client);
      const all = ledger ? await ledger.listRuns() : [];
      const runs = all.filter(({ settings }) => given.domain === undefined || settings.domain === given.domain);
      if (given.format === "json") invocation.print(json(runs.map((run) => runJson(run))));
      else if (runs.length > 0) invocation.print(runListText(runs));
      else invocation.screen.note("No runs yet. Start one with `event-replay --domain DOMAIN`.");
      return EXIT.done;
    });
  },
};
