import { ReplayError } from "@cim-replay/core";
import { z } from "zod";
import { apiRequest } from "./api-request.ts";
import type { NatsClient } from "./connect.ts";
import { splitSubjects } from "./subject-page.ts";
import { INDEX_TIMEOUT_MS } from "./subject-total.ts";
import { isStreamName } from "./stream-info.ts";

const ATTEMPTS = 5;
/** Of the servers that there are. */
const PAGE_SUBJECTS = 100_000;

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
  readonly subjects: Map<string, number>;
}

/**
 * Messages per subject that matches `filter`, from the server's index: all pages (100,000 subjects each) in one map.
 * Subjects that vanish between two pages shift the rest, so it then starts again; throws ReplayError after five times.
 * `likelySubjects`, where it is known, lets the second page be asked for together with the first.
 */
export async function subjectCounts(
  client: NatsClient,
  stream: string,
  filter: string,
  likelySubjects = 0,
): Promise<Map<string, number>> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const counts = await countOnce(client, stream, filter, likelySubjects);
    if (counts) return counts;
  }
  throw new ReplayError(
    `Cannot count the subjects of stream ${stream}: messages are being removed all the time. Stop that first.`,
  );
}

async function countOnce(
  client: NatsClient,
  stream: string,
  filter: string,
  likelySubjects: number,
): Promise<Map<string, number> | null> {
  const ahead = likelySubjects > PAGE_SUBJECTS ? [PAGE_SUBJECTS] : [];
  const fetchPages = (offsets: readonly number[]) =>
    Promise.all(offsets.map((offset) => fetchPage(client, stream, filter, offset)));
  const [first, ...early] = await fetchPages([0, ...ahead]);
  if (!first) return null;
  // The first page's own map takes the others in: most streams have no second page, and nothing is copied.
  const counts = first.subjects;
  const size = counts.size;
  if (size >= first.total) return counts;
  if (size === 0) return null;
  const offsets = Array.from({ length: Math.ceil(first.total / size) - 1 }, (_, i) => (i + 1) * size);
  const isEarly = early.length > 0 && size === PAGE_SUBJECTS;
  // Two at a time: the server makes each page anew from all subjects.
  for (let at = 0; at < offsets.length; ) {
    const pages = at === 0 && isEarly ? early : await fetchPages(offsets.slice(at, at + 2));
    for (const page of pages) {
      if (page.removals !== first.removals) return null;
      addTo(counts, page);
    }
    at += pages.length;
  }
  return counts.size >= first.total ? counts : null;
}

function addTo(counts: Map<string, number>, { subjects }: Page): void {
  for (const [subject, count] of subjects) counts.set(subject, count);
}

/** By hand: the client's own paging would gather all subjects in one object with a prototype. */
async function fetchPage(client: NatsClient, stream: string, filter: string, offset: number): Promise<Page> {
  const action = `count the subjects of stream ${stream}`;
  if (!isStreamName(stream)) throw new ReplayError(`Cannot ${action}: no stream can have this name. Check it.`);
  const request = JSON.stringify({ subjects_filter: filter, offset });
  const reply = await apiRequest(action, () =>
    client.nc.request(`${client.apiPrefix}.STREAM.INFO.${stream}`, request, { timeout: INDEX_TIMEOUT_MS }),
  );
  const split = splitSubjects(reply.data);
  const body: unknown = split ? JSON.parse(split.rest) : reply.json();
  const refused = errorSchema.safeParse(body);
  if (refused.success) throw new ReplayError(`Cannot ${action}: ${refused.data.error.description}. Check its name.`);
  const { total, state } = pageSchema.parse(body);
  return {
    total,
    removals: `${state.first_seq} ${state.num_deleted}`,
    subjects: split?.subjects ?? mapOf(state.subjects ?? {}),
  };
}

/** What JSON.parse made has own properties only; a list of its entries would cost twice the time. */
function mapOf(subjects: Readonly<Record<string, number>>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const subject in subjects) counts.set(subject, subjects[subject] ?? 0);
  return counts;
}
