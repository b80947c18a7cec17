import { setTimeout as sleep } from "node:timers/promises";
import { connectionCause, errorMessage, ReplayError, UnreachableError, UsageError } from "@cim-replay/core";
import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { AuthorizationError, connect, createInbox, type NatsConnection, wsconnect } from "nats";
import { type NatsAddress, parseNatsUrl } from "./nats-url.ts";
import { apiPrefixOf, credentialsOf, type NatsLogin, tlsOf } from "./nats-login.ts";
import { Denials, permissionDenied, violationIn } from "./denied.ts";
import { Link } from "./link.ts";
import { isTransient } from "./transient.ts";

export const OLDEST_SERVER = "2.10.27";
/** How long one JetStream API request may take, outages included, before it fails. */
export const REQUEST_TIMEOUT_MS = 5_000;
const DEFAULT_MAX_PAYLOAD_BYTES = 1024 * 1024;
const FIRST_CONNECT_TIMEOUT_MS = 5_000;
const SETTLE_WITHIN_MS = 1_000;
const ELECTION_WITHIN_MS = 20_000;
const BETWEEN_ASKING_MS = 200;

/** How many servers keep what this tool makes; auto: three where the server is one of a cluster that has room for them. */
export type Replicas = number | "auto";

export interface NatsClient {
  readonly nc: NatsConnection;
  /** Requests through `js` and `jsm` fail after `REQUEST_TIMEOUT_MS`; none of them waits for a reconnect. */
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly serverVersion: string;
  /** The largest message that the server takes, headers included. */
  readonly maxPayloadBytes: number;
  readonly link: Link;
  /** What the server has refused this login. */
  readonly denials: Denials;
  /** `$JS.API`, or what this login reaches a JetStream of another domain or account by. */
  readonly apiPrefix: string;
  /** Of the streams and buckets that are made through it. */
  readonly replicas: Replicas;
  /** Resolves when the server has taken all that was published before, or after a second without an answer. */
  settle(): Promise<void>;
  /** A new subject for answers, of those that the login may subscribe to. */
  newInbox(): string;
  /** Drains: what was published is sent first. Safe to call twice. */
  close(): Promise<void>;
}

export interface NatsOptions {
  readonly url: string;
  /** What the server calls this connection. */
  readonly name: string;
  readonly login?: NatsLogin;
  /** Default auto. */
  readonly replicas?: Replicas;
}

/**
 * Connects to one server of `url` (`nats://user:pass@host:4222`, several separated by commas; `ws://` for a WebSocket), whose
 * credentials go before those of `login`. The first connect
 * fails after 5 s at most with UnreachableError, where a cluster has no leader after 25 s; once connected, the connection is won back for as long as it takes.
 * Throws ReplayError where the server is older than 2.10.27 or its JetStream is off.
 */
export async function connectNats(options: NatsOptions): Promise<NatsClient> {
  const address = parseNatsUrl(options.url);
  const link = new Link();
  const apiPrefix = apiPrefixOf(options.login ?? {});
  const inboxPrefix = options.login?.inboxPrefix ?? undefined;
  const nc = await firstConnection(address, options.name, link, options.login ?? {});
  try {
    const serverVersion = requireServerVersion(nc, address);
    const jsm = await requireJetStream(nc, address, apiPrefix);
    const js = jetstream(nc, { apiPrefix, timeout: REQUEST_TIMEOUT_MS });
    const maxPayloadBytes = nc.info?.max_payload ?? DEFAULT_MAX_PAYLOAD_BYTES;
    const denials = new Denials();
    denials.follow(nc);
    return {
      ...{ nc, js, jsm, serverVersion, maxPayloadBytes, link, denials, apiPrefix },
      replicas: options.replicas ?? "auto",
      newInbox: () => createInbox(inboxPrefix),
      settle: () => settle(nc, link),
      close: () => closeConnection(nc, link),
    };
  } catch (error) {
    await nc.close();
    throw error;
  }
}

async function firstConnection(
  address: NatsAddress,
  name: string,
  link: Link,
  login: NatsLogin,
): Promise<NatsConnection> {
  const tls = tlsOf(login, address.tls);
  if (address.isWebSocket && tls !== null) {
    throw new UsageError(
      "Cannot use nats-ca, nats-cert, nats-key or nats-tls-first over a WebSocket. Leave them out and name the authorities' file in NODE_EXTRA_CA_CERTS, or use tls://.",
    );
  }
  // Each sets for the whole thread how connections are won back: one process never has both kinds.
  const attempt = (address.isWebSocket ? wsconnect : connect)({
    servers: [...address.servers],
    name,
    ...credentials(address, login),
    ...(tls === null ? {} : { tls }),
    ...(login.inboxPrefix ? { inboxPrefix: login.inboxPrefix } : {}),
    timeout: FIRST_CONNECT_TIMEOUT_MS,
    maxReconnectAttempts: -1,
    reconnectDelayHandler: () => link.retryDelayMs(),
    ignoreAuthErrorAbort: true,
    // A server that stopped without closing its sockets is noticed within half a minute.
    pingInterval: 10_000,
    maxPingOut: 2,
    noAsyncTraces: true,
  });
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer within 5 s")), FIRST_CONNECT_TIMEOUT_MS);
  });
  try {
    const nc = await Promise.race([attempt, tooLate]);
    link.follow(nc);
    return nc;
  } catch (error) {
    attempt.then((late) => late.close()).catch(() => {});
    throw cannotReach(address, error);
  } finally {
    clearTimeout(timer);
  }
}

function credentials(address: NatsAddress, login: NatsLogin): ReturnType<typeof credentialsOf> {
  if (address.user !== undefined) return { user: address.user, pass: address.password ?? "" };
  return address.token === undefined ? credentialsOf(login) : { token: address.token };
}

function cannotReach(address: NatsAddress, error: unknown): UnreachableError {
  if (error instanceof AuthorizationError || /authorization/i.test(errorMessage(error))) {
    return new UnreachableError(
      `Cannot reach NATS at ${address.shown}: it refuses the credentials. Set them in NATS_URL, by a context or by --nats-creds and its like.`,
      { cause: error },
    );
  }
  return new UnreachableError(
    `Cannot reach NATS at ${address.shown}: ${whyUnreachable(error)}. Start one with \`cim-replay servers up\`, or set NATS_URL.`,
    { cause: error },
  );
}

function whyUnreachable(error: unknown): string {
  if (error instanceof Error && error.name === "TimeoutError") return "no answer within 5 s";
  // The client wraps what the system said.
  const cause = connectionCause(error) ?? (error instanceof Error ? connectionCause(error.cause) : undefined);
  return cause ?? (errorMessage(error) || "it closed the connection");
}

function requireServerVersion(nc: NatsConnection, address: NatsAddress): string {
  const version = nc.info?.version ?? "unknown";
  if (isOlder(version, OLDEST_SERVER)) {
    throw new ReplayError(
      `Cannot use the NATS server at ${address.shown}: it is version ${version}. Upgrade it to ${OLDEST_SERVER} or newer.`,
    );
  }
  return version;
}

/** Compares the three numbers of two versions; what follows them (`-beta.1`) does not count. */
export function isOlder(version: string, floor: string): boolean {
  const [a, b] = [numbersOf(version), numbersOf(floor)];
  for (let i = 0; i < 3; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

function numbersOf(version: string): number[] {
  return (/^v?(\d+)\.(\d+)\.(\d+)/.exec(version)?.slice(1) ?? []).map(Number);
}

async function requireJetStream(
  nc: NatsConnection,
  address: NatsAddress,
  apiPrefix: string,
): Promise<JetStreamManager> {
  // A server on its own answers or does not; a cluster whose leader has just gone has another one soon.
  const giveUpAtMs = performance.now() + (nc.info?.cluster === undefined ? 0 : ELECTION_WITHIN_MS);
  try {
    return await answering(() => jetstreamManager(nc, { apiPrefix, timeout: REQUEST_TIMEOUT_MS }), giveUpAtMs);
  } catch (error) {
    if (isNotEnabled(error)) {
      throw new ReplayError(
        `Cannot use NATS at ${address.shown}: JetStream is not enabled. Start the server with \`nats-server -js\`, or enable it for this account.`,
        { cause: error },
      );
    }
    const violation = violationIn(error);
    if (violation) throw permissionDenied(`use NATS at ${address.shown}`, violation);
    throw new UnreachableError(
      `Cannot use NATS at ${address.shown}: JetStream does not answer (${errorMessage(error)}). ${whatToCheck(nc)}`,
      { cause: error },
    );
  }
}

function whatToCheck(nc: NatsConnection): string {
  const { cluster } = nc.info ?? {};
  if (cluster === undefined) return "Check the server's log.";
  return `More than half of the servers of cluster ${cluster} must be up to have a leader; check their logs.`;
}

async function answering<Answer>(ask: () => Promise<Answer>, giveUpAtMs: number): Promise<Answer> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (isNotEnabled(error) || !isTransient(error) || performance.now() > giveUpAtMs) throw error;
      await sleep(BETWEEN_ASKING_MS);
    }
  }
}

function isNotEnabled(error: unknown): boolean {
  return error instanceof Error && error.name === "JetStreamNotEnabled";
}

async function settle(nc: NatsConnection, link: Link): Promise<void> {
  if (!link.up || nc.isClosed() || nc.isDraining()) return;
  const patience = new AbortController();
  const late = sleep(SETTLE_WITHIN_MS, undefined, { signal: patience.signal }).catch(() => undefined);
  await Promise.race([nc.flush(), late]).catch(() => undefined);
  patience.abort();
}

async function closeConnection(nc: NatsConnection, link: Link): Promise<void> {
  if (nc.isClosed()) return;
  // Draining needs a server that answers; without one there is nothing to wait for.
  if (!link.up) return nc.close();
  if (nc.isDraining()) {
    await nc.closed();
    return;
  }
  await nc.drain().catch(() => nc.close());
}
