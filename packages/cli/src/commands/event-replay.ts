import type { CommandModule } from "../command.ts";
import { addReplayFlags } from "../replay/flags.ts";
import { replay } from "../replay/replay.ts";

export const command: CommandModule = {
  configure: (parser) => {
    addReplayFlags(parser);
    parser.addHelpText(
      "after",
      "\nWithout --domain: the domains of cim-replay.yaml, else all that stream EVENTS holds, one after another.",
    );
  },
  run: (invocation) => replay(invocation, { needsDomain: false }),
};
