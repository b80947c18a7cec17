import { UsageError } from "@cim-replay/core";

export interface NatsAddress {
  /** `host:port` each, IPv6 hosts in brackets. */
  readonly servers: readonly string[];
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** From `nats://token@host`: user without password. */
  readonly token: string | undefined;
  readonly tls: boolean;
  /** For messages: the addresses without credentials. */
  readonly shown: string;
}

/** Parses one or several comma-separated `nats://` or `tls://` URLs. Credentials of the first that has them count for all. */
export function parseNatsUrl(text: string): NatsAddress {
  const urls = text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map(parseOne);
  if (urls.length === 0)
    throw new UsageError("Cannot use an empty NATS URL. Set NATS_URL, e.g. nats://127.0.0.1:4222.");
  const login = urls.find((url) => url.username !== "");
  const user = login && decodeURIComponent(login.username);
  const password = login && login.password !== "" ? decodeURIComponent(login.password) : undefined;
  const servers = urls.map((url) => `${url.hostname}:${url.port || "4222"}`);
  return {
    servers,
    user: password === undefined ? undefined : user,
    password,
    token: password === undefined ? user : undefined,
    tls: urls.some((url) => url.protocol === "tls:"),
    shown: urls.map((url, i) => `${url.protocol}//${servers[i]}`).join(","),
  };
}

function parseOne(part: string): URL {
  const withScheme = part.includes("://") ? part : `nats://${part}`;
  // The text may hold a password: it is not repeated.
  const url = URL.canParse(withScheme) ? new URL(withScheme) : null;
  if (!url?.hostname) {
    throw new UsageError("Cannot read the NATS URL: it is no URL. Write it as nats://user:password@host:4222.");
  }
  if (url.protocol !== "nats:" && url.protocol !== "tls:") {
    throw new UsageError(`Cannot use a NATS URL that begins with ${url.protocol}//. Use nats:// or tls://.`);
  }
  return url;
}
