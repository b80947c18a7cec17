import type { RunRecord } from "@cim-replay/core";
import type { QuarantinedEvent, QuarantinePlace, QuarantineStore } from "@cim-replay/nats";
import type { ReplayContext } from "@cim-replay/coordinator";
import type { Invocation } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { retriedJson, retriedText } from "../output/retried-text.ts";
import { json } from "../output/run-record.ts";
import { Resolutions } from "../quarantine/resolutions.ts";
import { type Retried, retryGroup } from "../quarantine/retry.ts";
import { groupForRetry } from "../quarantine/retry-groups.ts";
import { listenToSignals } from "../replay/signals.ts";
import { withCoordination, withLog } from "../session.ts";
import type { LoadedSettings } from "../settings/load.ts";

interface Task {
  readonly loaded: LoadedSettings;
  readonly format: "text" | "json" | undefined;
  readonly store: QuarantineStore;
  readonly places: readonly QuarantinePlace[];
}

/** Folds again the aggregates of the kept events that no run has taken since. */
export async function retryKept(invocation: Invocation, task: Task): Promise<number> {
  const { screen, exitNow, print } = invocation;
  const note = (line: string) => screen.note(line);
  const checkpoint = () => note("A retry writes no checkpoint when asked: it is short.");
  const signals = listenToSignals({ checkpoint, note, exitNow });
  try {
    const retried = await withLog(task.loaded.settings, invocation, (log) =>
      withCoordination(task.loaded.settings, invocation.tool, log, (ctx) =>
        retryAll(invocation, ctx, task, signals.signal),
      ),
    );
    print(task.format === "json" ? json(retriedJson(retried)) : retriedText(retried));
    if (retried.every(({ reason }) => reason === null)) return EXIT.done;
    return signals.signal.aborted ? EXIT.interrupted : EXIT.failed;
  } finally {
    signals.dispose();
  }
}

async function retryAll(
  invocation: Invocation,
  ctx: ReplayContext,
  { loaded, store, places }: Task,
  signal: AbortSignal,
): Promise<Retried[]> {
  const resolutions = await Resolutions.open(ctx.ledger, store);
  const open: { event: QuarantinedEvent; keeper: RunRecord }[] = [];
  const retried: Retried[] = [];
  for await (const event of store.read(places)) {
    const keeper = resolutions.runOf(event);
    if (!keeper) retried.push(notRetried(event, "–", `the ledger has no run ${event.runId} any more`));
    else if ((await resolutions.resolvedBy(event)) === null) open.push({ event, keeper });
  }
  const { groups, nameless } = groupForRetry(open, loaded);
  for (const event of nameless) {
    const target = resolutions.runOf(event)?.settings.target ?? "–";
    retried.push(notRetried(event, target, "it still cannot be decoded, and names no aggregate"));
  }
  for (const group of groups) {
    if (signal.aborted) break;
    retried.push(...(await retryGroup({ invocation, ctx, loaded, signal }, group)));
  }
  return retried;
}

function notRetried({ domain, aggregateId, seq }: QuarantinedEvent, target: string, why: string): Retried {
  return { domain, target, aggregateId: aggregateId ?? "–", events: 1, run: null, reason: `event ${seq}: ${why}` };
}
