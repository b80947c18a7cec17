import type { Command } from "commander";
import type { Invocation } from "../command.ts";
import { addFlags, readInvocation, shared } from "../commands/invoked.ts";
import { EXIT } from "../exit-status.ts";
import { json } from "../output/run-record.ts";
import { servicesJson, servicesText, troubleText } from "../output/services-text.ts";
import { callFlag } from "../settings/flags.ts";
import { flag } from "../settings/values.ts";
import { openServices, stateFileFlag, untilInterrupted } from "./services-session.ts";
import { startService } from "./start-service.ts";
import { inOrder } from "./steps.ts";
import { stopService } from "./stop-service.ts";

const flags = {
  dryRun: callFlag("--dry-run", "shows what would be done, and does nothing", flag),
  keepGoing: callFlag("--keep-going", "goes on with the next service where one fails", flag),
  stateFile: stateFileFlag,
  format: shared.format,
};

export function addServiceFlags(parser: Command): void {
  addFlags(parser, flags, []);
}

/** `stop-all-services` and `start-all-services`: they differ in the step and in the order alone. */
export async function runAll(invocation: Invocation, verb: "stop" | "start"): Promise<number> {
  const { flags: given, loaded } = readInvocation(invocation, flags);
  const { services, notes } = await openServices(loaded, given.stateFile);
  const dryRun = given.dryRun ?? false;
  if (!dryRun) await notes.checkWritable();
  const { results, isInterrupted } = await untilInterrupted(async (signal) => {
    const context = {
      notes,
      signal,
      dryRun,
      keepGoing: given.keepGoing ?? false,
      note: (line: string) => invocation.screen.note(line),
    };
    const done =
      verb === "stop"
        ? await inOrder([...services].reverse(), context, stopService)
        : await inOrder(services, context, startService);
    return { results: done, isInterrupted: signal.aborted };
  });
  const isJson = given.format === "json";
  invocation.print(isJson ? json(servicesJson(results, notes)) : servicesText(results, notes));
  const trouble = troubleText(results, verb);
  if (trouble !== null) invocation.screen.note(trouble);
  if (isInterrupted) return EXIT.interrupted;
  return trouble === null ? EXIT.done : EXIT.failed;
}
