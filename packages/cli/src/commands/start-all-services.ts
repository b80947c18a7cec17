import type { CommandModule } from "../command.ts";
import { addServiceFlags, runAll } from "../services/run-all.ts";

export const command: CommandModule = {
  configure(parser) {
    addServiceFlags(parser);
    parser.addHelpText(
      "after",
      "\nStarts those that stop-all-services has stopped, in the settings file's order. Waits until each runs.",
    );
  },
  run: (invocation) => runAll(invocation, "start"),
};
