import { eachTarget, type RunRecord } from "@cim-replay/core";

/** Of the runs of one domain into one target. */
export interface Outcome {
  readonly domain: string;
  readonly target: string;
  /** Failed, and neither resumed nor cancelled nor made good by a later run of the whole domain. */
  readonly failed: number;
  /** Of them, those that the verifier found not to hold. */
  readonly refuted: number;
}

/** What somebody still has to look at. A run's own command ends with the run, and is rarely scraped once it knows. */
export function outcomesOf(runs: readonly RunRecord[]): readonly Outcome[] {
  const outcomes = new Map<string, Outcome>();
  for (const run of runs.flatMap(eachTarget).toSorted((a, b) => Date.parse(a.createdAt) - Date.parse(b.createdAt))) {
    const { domain, target, aggregateId, filter } = run.settings;
    const id = `${domain} ${target}`;
    const before = outcomes.get(id) ?? { domain, target, failed: 0, refuted: 0 };
    const isWhole = aggregateId === null && filter === null;
    if (run.state === "completed" && isWhole) outcomes.set(id, { ...before, failed: 0, refuted: 0 });
    else outcomes.set(id, run.state === "failed" ? withFailed(before, run) : before);
  }
  return [...outcomes.values()];
}

function withFailed(before: Outcome, { summary }: RunRecord): Outcome {
  const isRefuted = summary?.certificate?.holds === false;
  return { ...before, failed: before.failed + 1, refuted: before.refuted + (isRefuted ? 1 : 0) };
}

const FRESH_MS = 10_000;
/** Less than a scrape's usual patience: the rest of what a worker tells must not wait for a ledger that is away. */
const PATIENCE_MS = 2_000;

/** Asks `look` at most every ten seconds, however many scrape; null while it fails or takes too long. */
export function patiently<T>(look: () => Promise<T>): () => Promise<T | null> {
  let latest: { readonly atMs: number; readonly found: Promise<T | null> } | null = null;
  return () => {
    if (latest === null || performance.now() - latest.atMs > FRESH_MS) {
      const asked = { atMs: performance.now(), found: within(PATIENCE_MS, look()) };
      latest = asked;
    }
    return latest.found;
  };
}

async function within<T>(ms: number, work: Promise<T>): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, ms, null);
  });
  try {
    return await Promise.race([work, late]);
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
  }
}
