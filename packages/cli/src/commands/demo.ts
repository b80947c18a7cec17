import { formatCount, formatDuration, formatSize, ReplayError } from "@cim-replay/core";
import { connectNats } from "@cim-replay/nats";
import { type GeneratorOptions, generateEvents, publishEvents } from "@cim-replay/testkit";
import type { CommandModule, Invocation } from "../command.ts";
import { compareEntries, type Comparison } from "../demo/compare-entries.ts";
import { type DemoServers, startDemoServers } from "../demo/demo-servers.ts";
import { type ReplayOutcome, replayDomain } from "../demo/replay-child.ts";
import { EXIT } from "../exit-status.ts";
import { renderFacts } from "../output/table.ts";
import { callFlag } from "../settings/flags.ts";
import { flag } from "../settings/values.ts";
import { addFlags, readInvocation } from "./invoked.ts";

const flags = { keep: callFlag("--keep", "leaves both servers up, to look around", flag) };

const DOMAIN = "graph";
const SAMPLE: GeneratorOptions = {
  domains: ["graph", "workflow", "person"],
  events: 200_000,
  aggregates: 6_000,
  skew: 0.8,
  seed: 1,
};

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, []),
  async run(invocation) {
    const { flags: given } = readInvocation(invocation, flags);
    const interruption = new AbortController();
    const interrupt = () => (interruption.signal.aborted ? invocation.exitNow(EXIT.interrupted) : interruption.abort());
    process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
    invocation.screen.note("Starting a NATS and a Redis server (fetched from Debian's packages where there are none).");
    const servers = await startDemoServers(given.keep === true);
    let isKept = false;
    try {
      const isDone = await show(invocation, servers, interruption.signal);
      isKept = isDone && servers.keptIn !== null;
      return isDone ? EXIT.done : EXIT.interrupted;
    } finally {
      if (!isKept) await servers.end();
      process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
    }
  },
};

/** False where it was interrupted. */
async function show({ print, screen }: Invocation, servers: DemoServers, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false;
  const client = await connectNats({ url: servers.natsUrl, name: "cim-replay demo" });
  try {
    screen.note(`Publishing ${formatCount(SAMPLE.events)} events of ${SAMPLE.domains.join(", ")}.`);
    const startedAt = performance.now();
    const published = await publishEvents(client, { events: generateEvents(SAMPLE), signal }).catch(
      (error: unknown) => {
        if (signal.aborted) return null;
        throw error;
      },
    );
    const publishMs = performance.now() - startedAt;
    if (!published || signal.aborted) return false;
    screen.note(`domain-replay --domain ${DOMAIN} --parallel 4`);
    const outcome = await replayDomain(DOMAIN, servers, signal);
    if (signal.aborted) return false;
    if (!outcome)
      throw new ReplayError("Cannot finish the demo: domain-replay did not complete. See its message above.");
    screen.note("Folding the same events once more, on one thread, to compare.");
    const comparison = await compareEntries(client, outcome.target, DOMAIN);
    if (signal.aborted) return false;
    requireSame(comparison);
    print(resultText(outcome, comparison, publishMs));
    print(nextText(servers, outcome));
    return true;
  } finally {
    await client.close();
  }
}

function requireSame({ different }: Comparison): void {
  if (different.length === 0) return;
  throw new ReplayError(
    `Cannot vouch for the replay: ${different.length} entries differ from a single-threaded fold, first ${different[0]}. Please report this.`,
  );
}

function resultText({ summary, target }: ReplayOutcome, { entries, bytes }: Comparison, publishMs: number): string {
  return renderFacts([
    ["published", `${formatCount(SAMPLE.events)} events in ${formatDuration(publishMs)}`],
    ["replayed", `${formatCount(summary.events)} events of ${DOMAIN} in ${formatDuration(summary.seconds * 1000)}`],
    ["events/s", formatCount(summary.events_per_second)],
    ["aggregates", formatCount(summary.aggregates)],
    ["entries", `${formatCount(entries)} (${formatSize(bytes)}) in bucket ${target}, keys ${DOMAIN}.*`],
    ["checked", "every entry is byte for byte what a single-threaded fold gives"],
  ]);
}

function nextText({ natsUrl, redisUrl, keptIn }: DemoServers, { run_id, target }: ReplayOutcome): string {
  if (keptIn === null) {
    return "\nNothing is left running. Try next: npm run demo -- --keep   (leaves the servers up, to look around)";
  }
  return `
The servers stay up. To look around, with ./node_modules/.bin on PATH:
  export NATS_URL=${natsUrl} REDIS_URL=${redisUrl}
  replay-status --run ${run_id}
  event-replay --domain workflow --dry-run
  domain-replay --domain workflow
  nats kv ls ${target}        (where the nats tool is installed)
Stop them: cim-replay servers down --dir ${keptIn}`;
}
