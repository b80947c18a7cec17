import type { CommandModule } from "../command.ts";
import { verifyFlags, verifySettings } from "../verify/flags.ts";
import { verifyAllDomains } from "../verify/verify-all.ts";
import { addFlags, readInvocation } from "./invoked.ts";

const flags = { level: verifyFlags.level, format: verifyFlags.format };

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, verifySettings),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    return verifyAllDomains(invocation, { loaded, level: given.level ?? "full", format: given.format });
  },
};
