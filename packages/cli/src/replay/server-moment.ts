import { domainSettingsSchema } from "@cim-replay/core";
import { lastSeqAtNanos, type NatsClient } from "@cim-replay/nats";
import type { LoadedSettings } from "../settings/load.ts";
import type { PreciseTime } from "../settings/values.ts";

/**
 * The last sequence of the domain's stream that the server had received by then, to the nanosecond (0: none); undefined where
 * whole milliseconds say it, because the time has no finer digits, or because events' own times have none.
 */
export async function lastSeqBy(
  client: NatsClient,
  { domains, settings }: LoadedSettings,
  domain: string,
  { timeMs, finerNanos }: PreciseTime,
): Promise<number | undefined> {
  if (finerNanos === null || settings.timeBasis !== "server") return undefined;
  const { stream } = domains.get(domain) ?? domainSettingsSchema.parse({});
  return (await lastSeqAtNanos(client, stream, BigInt(timeMs) * 1_000_000n + BigInt(finerNanos))) ?? 0;
}

/** The smaller of those that are given. */
export function earlier(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Math.min(one, other);
}

/** RFC 3339, with all the digits that were given. */
export function preciseText({ timeMs, finerNanos }: PreciseTime, shorter: (timeMs: number) => string): string {
  if (finerNanos === null) return shorter(timeMs);
  return new Date(timeMs).toISOString().replace("Z", `${String(finerNanos).padStart(6, "0")}Z`);
}
