import { UsageError } from "@cim-replay/core";

export interface NatsAddress {
  /** `host:port` each, IPv6 hosts in brackets; whole URLs where they are of WebSockets. */
  readonly servers: readonly string[];
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** From `nats://token@host`: user without password. */
  readonly token: string | undefined;
  readonly tls: boolean;
  readonly isWebSocket: boolean;
  /** For messages: the addresses without credentials. */
  readonly shown: string;
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = { "nats:": "4222", "tls:": "4222", "ws:": "80", "wss:": "443" };

/**
 * Parses one or several comma-separated URLs, of `nats://` and `tls://`, or of `ws://` and `wss://`. Credentials of the first that
 * has them count for all. Throws UsageError.
 */
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
  const places = urls.map((url) => `${url.hostname}:${url.port || DEFAULT_PORTS[url.protocol]}`);
  const shown = urls.map(({ protocol }, i) => `${protocol}//${places[i]}`);
  const webSockets = urls.filter(isOfWebSocket);
  if (webSockets.length !== 0 && webSockets.length !== urls.length) {
    throw new UsageError(
      "Cannot use NATS URLs of both kinds at once. Give only nats:// and tls://, or only ws:// and wss://.",
    );
  }
  return {
    // Behind a WebSocket's port there may be a path.
    servers:
      webSockets.length === 0 ? places : urls.map(({ pathname, search }, i) => `${shown[i]}${pathname}${search}`),
    user: password === undefined ? undefined : user,
    password,
    token: password === undefined ? user : undefined,
    tls: urls.some((url) => url.protocol === "tls:"),
    isWebSocket: webSockets.length > 0,
    shown: shown.join(","),
  };
}

function isOfWebSocket({ protocol }: URL): boolean {
  return protocol === "ws:" || protocol === "wss:";
}

function parseOne(part: string): URL {
  const withScheme = part.includes("://") ? part : `nats://${part}`;
  // The text may hold a password: it is not repeated.
  const url = URL.canParse(withScheme) ? new URL(withScheme) : null;
  if (!url?.hostname) {
    throw new UsageError("Cannot read the NATS URL: it is no URL. Write it as nats://user:password@host:4222.");
  }
  if (!(url.protocol in DEFAULT_PORTS)) {
    throw new UsageError(
      `Cannot use a NATS URL that begins with ${url.protocol}//. Use nats:// or tls://, or ws:// or wss:// for a WebSocket.`,
    );
  }
  return url;
}
