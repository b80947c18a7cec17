import { UsageError } from "@cim-replay/core";

/** Scheme, host, port and database: what an error may show. */
export function redactRedisUrl(redisUrl: string): string {
  if (!URL.canParse(redisUrl)) return "(not a URL)";
  const { protocol, username, password, host, pathname } = new URL(redisUrl);
  const credentials = username || password ? "***@" : "";
  return `${protocol}//${credentials}${host}${pathname === "/" ? "" : pathname}`;
}

/** Throws UsageError where this is no address of a Redis: ioredis would take any other text for the path of a socket. */
export function checkRedisUrl(redisUrl: string): void {
  const protocol = URL.canParse(redisUrl) ? new URL(redisUrl).protocol : "";
  if (protocol === "redis:" || protocol === "rediss:") return;
  throw new UsageError(
    `Cannot use ${redactRedisUrl(redisUrl)} as Redis: it is not a redis:// or rediss:// URL. Set REDIS_URL, e.g. redis://127.0.0.1:6379.`,
  );
}
