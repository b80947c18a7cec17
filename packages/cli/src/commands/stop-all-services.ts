import type { CommandModule } from "../command.ts";
import { addServiceFlags, runAll } from "../services/run-all.ts";

export const command: CommandModule = {
  configure(parser) {
    addServiceFlags(parser);
    parser.addHelpText(
      "after",
      "\nServices are those of the settings file's section `services`, the last one first. Waits until each has stopped.",
    );
  },
  run: (invocation) => runAll(invocation, "stop"),
};
