import { formatCount } from "@cim-replay/core";
import { type GeneratorOptions, generateEvents, publishEvents } from "@cim-replay/testkit";
import type { CommandModule } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { json } from "../output/run-record.ts";
import { withNats } from "../session.ts";
import { type CallFlagValues, callFlag, connectionSettings } from "../settings/flags.ts";
import { count, number, text, words } from "../settings/values.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = {
  domains: callFlag("--domains <names>", "separated by commas (default: graph,workflow,person)", words),
  events: callFlag("--events <n>", "of all domains together (default: 200000)", count),
  aggregates: callFlag("--aggregates <n>", "of all domains together (default: 6000)", count),
  skew: callFlag("--skew <s>", "Zipf's exponent of events over aggregates; 0: even (default: 0.8)", number),
  seed: callFlag("--seed <n>", "the same seed gives the same bytes (default: 1)", number),
  eventBytes: callFlag("--event-bytes <n>", "fills events up to this size (default: as they come)", count),
  stream: callFlag("--stream <name>", "made on events.> where it is missing (default: EVENTS)", text),
  format: shared.format,
};

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, connectionSettings),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const options = generatorOptions(given);
    const stream = given.stream ?? "EVENTS";
    return withNats(loaded.settings, invocation.tool, async (client) => {
      const startedAt = performance.now();
      const events = generateEvents(options);
      const { lastSeq } = await publishEvents(client, { stream, events });
      const seconds = (performance.now() - startedAt) / 1000;
      const record = { stream, events: options.events, last_seq: lastSeq, seconds };
      const rate = formatCount(options.events / seconds);
      invocation.print(
        given.format === "json"
          ? json(record)
          : `Published ${formatCount(options.events)} events of ${options.domains.join(", ")} to ${stream}, up to sequence ${lastSeq}, in ${seconds.toFixed(1)} s (${rate} events/s).`,
      );
      return EXIT.done;
    });
  },
};

function generatorOptions(given: CallFlagValues<typeof flags>): GeneratorOptions {
  return {
    domains: given.domains ?? ["graph", "workflow", "person"],
    events: given.events ?? 200_000,
    aggregates: given.aggregates ?? 6_000,
    skew: given.skew ?? 0.8,
    seed: given.seed ?? 1,
    ...(given.eventBytes === undefined ? {} : { eventBytes: given.eventBytes }),
  };
}
