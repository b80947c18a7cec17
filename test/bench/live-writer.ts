import { setTimeout as sleep } from "node:timers/promises";
import type { Bench } from "./bench-setup.ts";
import { type Dataset, eventsOf } from "./dataset.ts";

const EVERY_MS = 10;
const MOST_EVENTS = 1_000_000;
const AGGREGATES = 1_000;
const FIRST_SEED = 1_000;

let seed = FIRST_SEED;

/** Does the work while events of new aggregates are appended to the stream, `livePerSecond` of them. */
export async function whileWrittenTo<Result>(
  bench: Bench,
  dataset: Dataset,
  work: () => Promise<Result>,
): Promise<Result> {
  const leave = new AbortController();
  const writing = write(bench, dataset, leave.signal);
  try {
    return await work();
  } finally {
    leave.abort();
    await writing;
  }
}

async function write({ client }: Bench, dataset: Dataset, signal: AbortSignal): Promise<void> {
  const startedAt = performance.now();
  const events = eventsOf(dataset, { events: MOST_EVENTS, aggregates: AGGREGATES, seed: seed++ });
  for (let written = 0; !signal.aborted; ) {
    const due = ((performance.now() - startedAt) / 1000) * dataset.livePerSecond;
    for (; written < due; written++) {
      const { value } = events.next();
      if (value) client.nc.publish(value.subject, value.data);
    }
    await sleep(EVERY_MS);
  }
  await client.nc.flush();
}
