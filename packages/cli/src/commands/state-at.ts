import { domainSettingsSchema, UsageError } from "@cim-replay/core";
import { type StateAt, stateAt, type StateAtTask } from "@cim-replay/verifier";
import { resolveProjection } from "@cim-replay/worker/load-projection";
import { noteUnfinishedStream } from "../archives/unfinished-restore.ts";
import type { CommandModule, Invocation } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { exactJson } from "../output/short-value.ts";
import { stateJson, stateText } from "../output/state-text.ts";
import { lastSeqBy } from "../replay/server-moment.ts";
import { onlyProjection } from "../replay/named-projections.ts";
import { withNats } from "../session.ts";
import { callFlag, connectionSettings } from "../settings/flags.ts";
import { count, flag, type PreciseTime, preciseTime, text } from "../settings/values.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = {
  domain: callFlag("--domain <name>", "domain of the aggregate", text),
  aggregateId: callFlag("--aggregate-id <id>", "the aggregate", text),
  seq: callFlag("--seq <n>", "its state at this stream sequence, itself included", count),
  time: callFlag("--time <time>", "its state at this moment, itself included, e.g. 2026-01-31T12:00:00Z", preciseTime),
  history: callFlag("--history", "also what each event changed", flag),
  format: shared.format,
};

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, ["projection", "timeBasis", ...connectionSettings]),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const { domain, aggregateId, history = false } = given;
    if (domain === undefined || aggregateId === undefined) {
      throw new UsageError("Cannot tell a state: no aggregate is named. Give --domain and --aggregate-id.");
    }
    const at = momentOf(given.seq, given.time, loaded.settings.timeBasis);
    const domainSettings = loaded.domains.get(domain) ?? domainSettingsSchema.parse({});
    const { ref, projection } = await resolveProjection(onlyProjection(domain, loaded, domainSettings));
    const signal = new AbortController().signal;
    const state = await withNats(loaded.settings, invocation.tool, async (client) => {
      await noteUnfinishedStream(client, domainSettings.stream, invocation.screen);
      const seq = given.time && (await lastSeqBy(client, loaded, domain, given.time));
      // Where nothing was there by then, nothing was there a millisecond before.
      const exactly = seq === 0 ? justBefore(at) : seq === undefined ? at : { seq };
      return stateAt({ client, domain, domainSettings, aggregateId, projection, at: exactly, history, signal });
    });
    const question = { domain, aggregateId, at, history, projection: { name: ref.name, sha256: ref.sha256 } };
    tellDoubts(invocation, state);
    invocation.print(given.format === "json" ? exactJson(stateJson(state, question), 2) : stateText(state, question));
    return EXIT.done;
  },
};

function momentOf(
  seq: number | undefined,
  time: PreciseTime | undefined,
  basis: "event" | "server",
): StateAtTask["at"] {
  if (seq !== undefined && time === undefined) return { seq };
  if (time !== undefined && seq === undefined) return { timeMs: time.timeMs, basis };
  throw new UsageError(
    `Cannot tell a state: ${seq === undefined ? "no moment is given" : "--seq and --time are both given"}. Give one of --seq and --time.`,
  );
}

function justBefore(at: StateAtTask["at"]): StateAtTask["at"] {
  return "seq" in at ? at : { ...at, timeMs: at.timeMs - 1 };
}

/** What makes the state less than the whole truth. */
function tellDoubts({ screen }: Invocation, { stream, nameless }: StateAt): void {
  const warn = (line: string) => screen.note(`${screen.style("yellow", "warning:")} ${line}`);
  if (stream.firstSeq > 1) {
    warn(
      `${stream.name} begins at sequence ${stream.firstSeq}: events that came before are gone, and not in the state.`,
    );
  }
  if (nameless > 0) warn(`${nameless} messages cannot be decoded and name no aggregate: some may be of this one.`);
}
