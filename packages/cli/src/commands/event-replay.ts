import type { CommandModule } from "../command.ts";
import { addReplayFlags } from "../replay/flags.ts";
import { replay } from "../replay/replay.ts";

export const command: CommandModule = {
  configure: (parser) => {
    addReplayFlags(parser);
    parser.addHelpText(
      "after",
      `
Without --domain: the domains of cim-replay.yaml, else all that stream EVENTS holds, one after another.

Examples:
  event-replay --domain graph --aggregate-id ID --from-beginning --target projection
  event-replay --domain graph --to-time 2026-01-31T12:00:00Z --target test-projection --dry-run
  event-replay --resume --skip-errors 10`,
    );
  },
  run: (invocation) => replay(invocation, { needsDomain: false }),
};
