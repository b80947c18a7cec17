import { ReplayError } from "@cim-replay/core";
import { z } from "zod";
import { apiRequest } from "./api-request.ts";
import { type NatsClient, REQUEST_TIMEOUT_MS } from "./connect.ts";
import { isStreamName } from "./stream-info.ts";

const ATTEMPTS = 5;

const pageSchema = z.object({
  total: z.number().default(0),
  state: z.object({
    first_seq: z.number(),
    num_deleted: z.number().default(0),
    // Taken as it is: a schema would copy 100,000 entries, and lose a subject named `__proto__`.
    subjects: z.custom<Record<string, number>>((value) => typeof value === "object").nullish(),
  }),
});
const errorSchema = z.object({ error: z.object({ description: z.string() }) });

interface Page {
  /** Subjects that match, on all pages together. */
  readonly total: number;
  /** Changes whenever a message is removed: pages on both sides of that may have skipped a subject. */
  readonly removals: string;
  readonly subjects: Readonly<Record<string, number>>;
}

/**
 * Messages per subject that matches `filter`, from the server's index: all pages (100,000 subjects each) in one map.
 * Subjects that vanish between two pages shift the rest, so it then starts again; throws ReplayError after five times.
 */
export async function subjectCounts(client: NatsClient, stream: string, filter: string): Promise<Map<string, number>> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const counts = await countOnce(client, stream, filter);
    if (counts) return counts;
  }
  throw new ReplayError(
    `Cannot count the subjects of stream ${stream}: messages are being removed all the time. Stop that first.`,
  );
}

async function countOnce(client: NatsClient, stream: string, filter: string): Promise<Map<string, number> | null> {
  const counts = new Map<string, number>();
  const first = await fetchPage(client, stream, filter, 0);
  addTo(counts, first);
  const size = counts.size;
  if (size >= first.total) return counts;
  if (size === 0) return null;
  const offsets = Array.from({ length: Math.ceil(first.total / size) - 1 }, (_, i) => (i + 1) * size);
  // Two at a time: the server makes each page anew from all subjects.
  for (let at = 0; at < offsets.length; at += 2) {
    const pages = await Promise.all(
      offsets.slice(at, at + 2).map((offset) => fetchPage(client, stream, filter, offset)),
    );
    for (const page of pages) {
      if (page.removals !== first.removals) return null;
      addTo(counts, page);
    }
  }
  return counts.size >= first.total ? counts : null;
}

/** What JSON.parse made has own properties only; a list of its entries would cost twice the time. */
function addTo(counts: Map<string, number>, { subjects }: Page): void {
  for (const subject in subjects) counts.set(subject, subjects[subject] ?? 0);
}

/** By hand: the client's own paging would gather all subjects in one object with a prototype. */
async function fetchPage(client: NatsClient, stream: string, filter: string, offset: number): Promise<Page> {
  const action = `count the subjects of stream ${stream}`;
  if (!isStreamName(stream)) throw new ReplayError(`Cannot ${action}: no stream can have this name. Check it.`);
  const request = JSON.stringify({ subjects_filter: filter, offset });
  const reply = await apiRequest(action, () =>
    client.nc.request(`$JS.API.STREAM.INFO.${stream}`, request, { timeout: REQUEST_TIMEOUT_MS }),
  );
  const body: unknown = reply.json();
  const refused = errorSchema.safeParse(body);
  if (refused.success) throw new ReplayError(`Cannot ${action}: ${refused.data.error.description}. Check its name.`);
  const { total, state } = pageSchema.parse(body);
  return {
    total,
    removals: `${state.first_seq} ${state.num_deleted}`,
    subjects: state.subjects ?? {},
  };
}
