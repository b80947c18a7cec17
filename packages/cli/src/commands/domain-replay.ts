import type { CommandModule } from "../command.ts";
import { addReplayFlags } from "../replay/flags.ts";
import { replay } from "../replay/replay.ts";

export const command: CommandModule = {
  configure: addReplayFlags,
  run: (invocation) => replay(invocation, { needsDomain: true }),
};
