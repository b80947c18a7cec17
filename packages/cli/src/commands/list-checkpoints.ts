import { listCheckpoints } from "@cim-replay/archive";
import type { CommandModule } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { checkpointListText } from "../output/checkpoint-text.ts";
import { json } from "../output/run-record.ts";
import { withNats } from "../session.ts";
import { connectionSettings } from "../settings/flags.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = { format: shared.format };

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, connectionSettings),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const { checkpoints, strange } = await withNats(loaded.settings, invocation.tool, listCheckpoints);
    if (strange.length > 0) {
      invocation.screen.note(`Not listed, as no checkpoints of this version: ${strange.join(", ")}.`);
    }
    if (given.format === "json") invocation.print(json(checkpoints));
    else if (checkpoints.length > 0) invocation.print(checkpointListText(checkpoints));
    else invocation.screen.note("There are no checkpoints. `create-checkpoint --name NAME` makes one.");
    return EXIT.done;
  },
};
