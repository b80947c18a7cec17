import type { CommandModule } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { json } from "../output/run-record.ts";
import { servicesJson, servicesText } from "../output/services-text.ts";
import { openServices, stateFileFlag, untilInterrupted } from "../services/services-session.ts";
import { probe, result } from "../services/steps.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = { stateFile: stateFileFlag, format: shared.format };

export const command: CommandModule = {
  configure(parser) {
    addFlags(parser, flags, []);
    parser.addHelpText("after", "\nExits with 1 where a service could not be asked.");
  },
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const { services, notes } = await openServices(loaded, given.stateFile);
    const results = await untilInterrupted((signal) =>
      Promise.all(
        services.map(async (service) => {
          const found = await probe(service, signal);
          return result(service, "shown", found, { trouble: found.state === "unknown" ? found.detail : "" });
        }),
      ),
    );
    invocation.print(given.format === "json" ? json(servicesJson(results, notes)) : servicesText(results, notes));
    return results.every(({ probe: { state } }) => state !== "unknown") ? EXIT.done : EXIT.failed;
  },
};
