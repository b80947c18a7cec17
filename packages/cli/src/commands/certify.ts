import type { CommandModule } from "../command.ts";
import { noLedger } from "../no-run.ts";
import { pickRun } from "../replay/pick-run.ts";
import { callFlag, connectionSettings } from "../settings/flags.ts";
import { text } from "../settings/values.ts";
import { certifyAndKeep } from "../verify/certify.ts";
import { openDelivery } from "../verify/deliver.ts";
import { verifyFlags } from "../verify/flags.ts";
import { withVerifySession } from "../verify/session.ts";
import { loadRun } from "@cim-replay/verifier";
import { addFlags, readInvocation } from "./invoked.ts";

const flags = { run: callFlag("--run <id>", "the run to certify (default: the latest)", text), ...verifyFlags };

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, connectionSettings),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const { tool } = invocation;
    const delivery = await openDelivery(invocation, given);
    const certificate = await withVerifySession(invocation, loaded, async ({ client, ledger, onProgress }) => {
      if (!ledger) throw noLedger(tool);
      const { id } = await pickRun(ledger, { tool, run: given.run, domain: undefined });
      const evidence = await loadRun(ledger, id);
      const { certify } = evidence.run.settings;
      const level = given.level ?? (certify === "none" ? "counts" : certify);
      return certifyAndKeep({ client, ledger, evidence, level, onProgress, finish: delivery.signed });
    });
    return delivery.deliver(certificate);
  },
};
