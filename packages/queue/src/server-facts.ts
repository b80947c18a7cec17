import { ReplayError } from "@cim-replay/core";
import { redactRedisUrl } from "./redis-url.ts";

const MINIMUM = [6, 2] as const;
export const OLDEST_REDIS = MINIMUM.join(".");

export function isTooOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major < MINIMUM[0] || (major === MINIMUM[0] && minor < MINIMUM[1]);
}

/** Checks a Redis by its own `INFO`: throws ReplayError where it is too old, returns warnings about its settings. */
export function checkServer(info: string, redisUrl: string): string[] {
  const facts = new Map(info.split(/\r?\n/).map((line) => [line.split(":", 1)[0], line.slice(line.indexOf(":") + 1)]));
  const version = facts.get("redis_version") ?? "0";
  const url = redactRedisUrl(redisUrl);
  if (isTooOld(version)) {
    throw new ReplayError(
      `Cannot use Redis at ${url}: it is ${version}, and ${OLDEST_REDIS} is the oldest that works. Start a newer one with \`cim-replay servers up\`, or set REDIS_URL.`,
    );
  }
  const policy = facts.get("maxmemory_policy");
  if (policy === undefined || policy === "noeviction") return [];
  return [
    `Redis at ${url} may drop queued units when its memory is full (maxmemory-policy ${policy}). Set it to noeviction.`,
  ];
}
