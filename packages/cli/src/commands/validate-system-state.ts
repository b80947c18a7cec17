import { UsageError } from "@cim-replay/core";
import type { CommandModule } from "../command.ts";
import { lastSeqBy } from "../replay/server-moment.ts";
import { callFlag } from "../settings/flags.ts";
import { preciseTime } from "../settings/values.ts";
import { verifySettings } from "../verify/flags.ts";
import { verifyAllDomains } from "../verify/verify-all.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = {
  expectedTime: callFlag("--expected-time <time>", "the state at this moment, itself included", preciseTime),
  format: shared.format,
};

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, [...verifySettings, "timeBasis"]),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const { expectedTime, format } = given;
    if (expectedTime === undefined) {
      throw new UsageError("Cannot validate: no moment is given. Give --expected-time, e.g. 2026-01-31T12:00:00Z.");
    }
    const { timeMs } = expectedTime;
    const basis = loaded.settings.timeBasis;
    return verifyAllDomains(invocation, {
      ...{ loaded, level: "full", format },
      // No run's records are asked: whatever wrote the entries, they must be the state at that time.
      adapt: async (options) => {
        const toSeq = await lastSeqBy(options.client, loaded, options.domain, expectedTime);
        return { ...options, run: null, asOf: { timeMs, basis, ...(toSeq !== undefined && { toSeq }) } };
      },
    });
  },
};
