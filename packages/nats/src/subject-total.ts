import { z } from "zod";
import { JetStreamApiCodes } from "@nats-io/jetstream";
import { ReplayError } from "@cim-replay/core";
import type { NatsClient } from "./connect.ts";
import type { StreamFacts } from "./stream-info.ts";
import { TryAgain, withRetries } from "./publish-retry.ts";
import { isTransientRefusal } from "./transient.ts";

const answerSchema = z.object({
  total: z.int().default(0),
  error: z.object({ code: z.int(), err_code: z.int(), description: z.string() }).optional(),
});

/** The server walks all subjects for an answer: with a million of them and other work it takes seconds. */
export const INDEX_TIMEOUT_MS = 30_000;

/** Beyond any page: the server answers with the total alone. */
const BEYOND_LAST_PAGE = 2 ** 31 - 1;

/**
 * How many subjects match the filters together, where they are more than `most`; null where they are not. Asks the index
 * only where the stream as a whole has so many.
 */
export async function subjectsAbove(
  client: NatsClient,
  stream: StreamFacts,
  filters: readonly string[],
  most: number,
): Promise<number | null> {
  if (stream.numSubjects <= most) return null;
  const totals = await Promise.all(filters.map((filter) => subjectTotal(client, stream.name, filter)));
  const total = totals.reduce((sum, some) => sum + some, 0);
  return total > most ? total : null;
}

/** How many subjects of a stream match `filter`, by the server's index at one moment. Throws where the stream is missing. */
export function subjectTotal(client: NatsClient, stream: string, filter: string): Promise<number> {
  const request = JSON.stringify({ subjects_filter: filter, offset: BEYOND_LAST_PAGE });
  return withRetries(client, `count the subjects of stream ${stream}`, async () => {
    const reply = await client.nc.request(`${client.apiPrefix}.STREAM.INFO.${stream}`, request, {
      timeout: INDEX_TIMEOUT_MS,
    });
    const { total, error } = answerSchema.parse(reply.json());
    if (error === undefined) return total;
    if (isTransientRefusal(error)) throw new TryAgain(error.description);
    const todo = error.err_code === JetStreamApiCodes.StreamNotFound ? " Check its name." : "";
    throw new ReplayError(`Cannot count the subjects of stream ${stream}: ${error.description}.${todo}`);
  });
}
