import type { CommandModule } from "../command.ts";
import { addReplayFlags } from "../replay/flags.ts";
import { replay } from "../replay/replay.ts";

export const command: CommandModule = {
  configure: (parser) => {
    addReplayFlags(parser);
    parser.addHelpText(
      "after",
      `
Example:
  domain-replay --domain graph --parallel 4 --batch-size 1000 --checkpoint-interval 10000`,
    );
  },
  run: (invocation) => replay(invocation, { needsDomain: true }),
};
