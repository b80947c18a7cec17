import { parseEntryKey, UsageError } from "@cim-replay/core";
import { bucketFacts, type NatsClient, readHeads } from "@cim-replay/nats";
import { domainsToReplay } from "../replay/which-domains.ts";
import type { LoadedSettings } from "../settings/load.ts";

/** Every domain that the settings or the stream name, or that has an entry in the bucket, sorted. */
export async function allDomains(
  client: NatsClient,
  loaded: LoadedSettings,
  bucket: string,
): Promise<readonly string[]> {
  const [streamed, stored] = await Promise.all([domainsOfStream(client, loaded), domainsOfBucket(client, bucket)]);
  const domains = [...new Set([...streamed, ...stored])].sort();
  if (domains.length > 0) return domains;
  throw new UsageError(
    `Cannot verify the system's state: no domain is named in the settings, and bucket ${bucket} holds no entry. Check --target and cim-replay.yaml.`,
  );
}

async function domainsOfStream(client: NatsClient, loaded: LoadedSettings): Promise<readonly string[]> {
  try {
    return await domainsToReplay(client, loaded, { domain: undefined, aggregateId: undefined });
  } catch (error) {
    // No stream under the default name: the bucket may still say which domains there are.
    if (error instanceof UsageError) return [];
    throw error;
  }
}

async function domainsOfBucket(client: NatsClient, bucket: string): Promise<Set<string>> {
  const domains = new Set<string>();
  if (!(await bucketFacts(client, bucket))) return domains;
  for await (const heads of readHeads(client, bucket, ">")) {
    for (const { key, deleted } of heads) {
      const domain = deleted ? undefined : parseEntryKey(key)?.domain;
      if (domain !== undefined) domains.add(domain);
    }
  }
  return domains;
}
