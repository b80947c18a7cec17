import type { NatsClient } from "@cim-replay/nats";
import { builtinFor } from "@cim-replay/projections";
import { readAllMessages, readBucket, referenceFold } from "@cim-replay/testkit";

export interface Comparison {
  readonly entries: number;
  readonly bytes: number;
  /** Keys whose entry is missing, not expected, or of other bytes. */
  readonly different: readonly string[];
}

/** A bucket that holds one domain, against a single-threaded fold of stream EVENTS that shares no code with the pipeline. */
export async function compareEntries(client: NatsClient, bucket: string, domain: string): Promise<Comparison> {
  const expected = await referenceFold(readAllMessages(client, "EVENTS"), builtinFor(domain), { domain });
  const entries = await readBucket(client, bucket);
  const keys = new Set([...expected.keys(), ...entries.keys()]);
  const different = [...keys].filter((key) => expected.get(key) !== entries.get(key)?.value);
  const bytes = [...entries.values()].reduce((total, { value }) => total + Buffer.byteLength(value), 0);
  return { entries: entries.size, bytes, different };
}
