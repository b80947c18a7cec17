import { connect } from "node:net";
import { connectionCause } from "@cim-replay/core";

const TIMEOUT_MS = 2_000;
const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  "nats:": 4222,
  "tls:": 4222,
  "ws:": 80,
  "redis:": 6379,
  "rediss:": 6379,
};

/** Null where somebody listens at one of the URLs, separated by commas; else why nobody is reached at the last. */
export async function whyUnreachable(urls: string): Promise<string | null> {
  let reason: string | null = "no URL";
  for (const url of urls.split(",")) {
    reason = await tryToConnect(url.trim());
    if (reason === null) return null;
  }
  return reason;
}

function tryToConnect(text: string): Promise<string | null> {
  const url = URL.parse(text.includes("://") ? text : `nats://${text}`);
  if (!url) return Promise.resolve("no URL");
  const port = url.port === "" ? (DEFAULT_PORTS[url.protocol] ?? 443) : Number(url.port);
  // An IPv6 address stands in brackets there.
  const socket = connect({ host: url.hostname.replace(/^\[|\]$/g, ""), port, timeout: TIMEOUT_MS });
  return new Promise<string | null>((resolve) => {
    socket.once("connect", () => resolve(null));
    socket.once("timeout", () => resolve(`no answer in ${TIMEOUT_MS / 1_000} s`));
    socket.once("error", (error) => resolve(connectionCause(error) ?? error.message));
  }).finally(() => socket.destroy());
}
