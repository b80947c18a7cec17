import { UsageError } from "@cim-replay/core";

export interface RedisAddress {
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  readonly tls: boolean;
}

const DEFAULT_PORT = 6379;

function partsOf(redisUrls: string): string[] {
  return redisUrls.split(",").map((part) => part.trim());
}

/** Scheme, host, port and database of each: what an error may show. */
export function redactRedisUrl(redisUrls: string): string {
  return partsOf(redisUrls).map(redactOne).join(",");
}

function redactOne(redisUrl: string): string {
  if (!URL.canParse(redisUrl)) return "(not a URL)";
  const { protocol, username, password, host, pathname } = new URL(redisUrl);
  const credentials = username || password ? "***@" : "";
  return `${protocol}//${credentials}${host}${pathname === "/" ? "" : pathname}`;
}

/** Throws UsageError where this is no address of a Redis: ioredis would take any other text for the path of a socket. */
export function checkRedisUrl(redisUrls: string): void {
  for (const redisUrl of partsOf(redisUrls)) {
    const protocol = URL.canParse(redisUrl) ? new URL(redisUrl).protocol : "";
    if (protocol === "redis:" || protocol === "rediss:") continue;
    throw new UsageError(
      `Cannot use ${redactOne(redisUrl)} as Redis: it is not a redis:// or rediss:// URL. Set REDIS_URL, e.g. redis://127.0.0.1:6379.`,
    );
  }
}

/** Of one or several comma-separated URLs; credentials and database of the first that has them count for all. */
export function parseRedisUrl(redisUrls: string): RedisAddress {
  checkRedisUrl(redisUrls);
  const urls = partsOf(redisUrls).map((part) => new URL(part));
  const login = urls.find(({ username, password }) => username !== "" || password !== "");
  const database = urls.find(({ pathname }) => pathname.length > 1)?.pathname.slice(1) ?? "0";
  return {
    nodes: urls.map(({ hostname, port }) => ({
      // An IPv6 address stands in brackets in a URL only.
      host: hostname.replace(/^\[|\]$/g, ""),
      port: port === "" ? DEFAULT_PORT : Number(port),
    })),
    username: login?.username ? decodeURIComponent(login.username) : undefined,
    password: login?.password ? decodeURIComponent(login.password) : undefined,
    database: Number(database) || 0,
    tls: urls.some(({ protocol }) => protocol === "rediss:"),
  };
}
