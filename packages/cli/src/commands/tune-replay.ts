import { tuneRun } from "@cim-replay/coordinator";
import { isUnfinished, ReplayError, type RunSettings, UsageError } from "@cim-replay/core";
import { audit, auditedTarget } from "../audit.ts";
import type { CommandModule } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { rateText } from "../output/rate-text.ts";
import { json, runJson } from "../output/run-record.ts";
import { pickUnfinishedRun } from "../replay/pick-run.ts";
import { withLedger } from "../session.ts";
import { callFlag, type CallFlagValues, connectionSettings } from "../settings/flags.ts";
import { bytesOrNone, countOrNone, flag } from "../settings/values.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = {
  run: shared.run,
  domain: shared.domain,
  maxRate: callFlag("--max-rate <events>", "events a second at most, of all workers together; none", countOrNone),
  maxBytesRate: callFlag("--max-bytes-rate <size>", "bytes a second at most, e.g. 10M; none", bytesOrNone),
  adaptiveRate: callFlag("--adaptive-rate", "slows the run while others suffer", flag),
  fixedRate: callFlag("--fixed-rate", "no longer does so", flag),
  unlimited: callFlag("--unlimited", "takes all limits away, the adaptive one too", flag),
  format: shared.format,
};

type Rates = Partial<Pick<RunSettings, "maxRate" | "maxBytesRate" | "adaptiveRate">>;

export const command: CommandModule = {
  configure(parser) {
    addFlags(parser, flags, connectionSettings);
  },
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const rates = ratesOf(given);
    return withLedger(loaded.settings, invocation.tool, async (ledger, client) => {
      const found = await pickUnfinishedRun(ledger, { tool: invocation.tool, run: given.run, domain: given.domain });
      if (!isUnfinished(found)) {
        throw new ReplayError(`Cannot tune run ${found.id}: it is ${found.state}. See \`replay-list\`.`);
      }
      const tuned = await tuneRun(ledger, found.id, rates);
      const { id, settings } = tuned;
      const { domain, maxRate, maxBytesRate, adaptiveRate } = settings;
      const outcome = rateText(tuned).join(", ") || "no limit";
      const audited = { command: invocation.tool, step: "done" as const, ...auditedTarget(settings), runId: id };
      await audit(client, { ...audited, parameters: { ...rates }, outcome }, (line) => invocation.screen.note(line));
      invocation.print(
        given.format === "json"
          ? json({ ...runJson(found), max_rate: maxRate, max_bytes_rate: maxBytesRate, adaptive_rate: adaptiveRate })
          : `Run ${id} of ${domain} now goes with ${outcome}. Its workers hear of it within a second.`,
      );
      return EXIT.done;
    });
  },
};

function ratesOf({ maxRate, maxBytesRate, adaptiveRate, fixedRate, unlimited }: CallFlagValues<typeof flags>): Rates {
  if (adaptiveRate && fixedRate)
    throw new UsageError("Cannot tune: --adaptive-rate and --fixed-rate are given. Give one of them.");
  const rates = {
    ...(maxRate !== undefined && { maxRate }),
    ...(maxBytesRate !== undefined && { maxBytesRate }),
    ...((adaptiveRate || fixedRate) && { adaptiveRate: adaptiveRate === true }),
  };
  const isGiven = Object.keys(rates).length > 0;
  if (unlimited === true && isGiven) {
    throw new UsageError("Cannot tune: --unlimited and a limit are given. Give one of them.");
  }
  if (unlimited === true) return { maxRate: null, maxBytesRate: null, adaptiveRate: false };
  if (isGiven) return rates;
  throw new UsageError(
    "Cannot tune: no rate is given. Give --max-rate, --max-bytes-rate, --adaptive-rate, --fixed-rate or --unlimited.",
  );
}
