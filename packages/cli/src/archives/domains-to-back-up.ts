import type { DomainSource } from "@cim-replay/archive";
import { domainSettingsSchema, parseEntryKey, UsageError } from "@cim-replay/core";
import { bucketFacts, type NatsClient, readHeads } from "@cim-replay/nats";
import type { LoadedSettings } from "../settings/load.ts";

const ALL = "all";

export function domainSource(name: string, { domains }: LoadedSettings): DomainSource {
  return { name, settings: domains.get(name) ?? domainSettingsSchema.parse({}) };
}

/** The one that is named, or for `all` every domain that has an entry in the bucket or is in the settings, sorted. */
export async function domainsToBackUp(
  client: NatsClient,
  loaded: LoadedSettings,
  bucket: string,
  domain: string,
): Promise<{ sources: readonly DomainSource[]; strayKeys: number }> {
  if (domain !== ALL) return { sources: [domainSource(domain, loaded)], strayKeys: 0 };
  const names = new Set<string>(loaded.domains.keys());
  let strayKeys = 0;
  if (await bucketFacts(client, bucket)) {
    for await (const heads of readHeads(client, bucket, ">")) {
      for (const { key, deleted } of heads) {
        const name = deleted ? undefined : domainOf(key);
        if (name !== undefined) names.add(name);
        else if (!deleted) strayKeys += 1;
      }
    }
  }
  if (names.size > 0) return { sources: [...names].sort().map((name) => domainSource(name, loaded)), strayKeys };
  throw new UsageError(
    `Cannot back up projections: bucket ${bucket} holds no entry, and the settings name no domain. Check --target.`,
  );
}

/** Of keys with more than one dot too: they lie under their domain, whoever wrote them. */
function domainOf(key: string): string | undefined {
  const dot = key.indexOf(".");
  return dot === -1 ? undefined : parseEntryKey(`${key.slice(0, dot)}.x`)?.domain;
}
