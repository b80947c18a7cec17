import { readFileSync } from "node:fs";
import { errorMessage, UsageError } from "@cim-replay/core";
import { credsAuthenticator, jwtAuthenticator, type NodeConnectionOptions, nkeyAuthenticator } from "nats";

/** Who connects, what TLS takes, and which JetStream is meant; null or missing: not given. Files are named by path and read when connecting. */
export interface NatsLogin {
  readonly user?: string | null;
  readonly password?: string | null;
  readonly passwordFile?: string | null;
  readonly token?: string | null;
  readonly tokenFile?: string | null;
  /** A `.creds` file: a user's JWT and seed. */
  readonly creds?: string | null;
  /** A file with an nkey's seed. */
  readonly nkey?: string | null;
  /** Signed with the seed of `nkey`, where there is one. */
  readonly userJwt?: string | null;
  readonly cert?: string | null;
  readonly key?: string | null;
  readonly ca?: string | null;
  /** TLS before the server's greeting. */
  readonly tlsFirst?: boolean;
  /** Whose JetStream is asked: of another server behind a leaf node, or by a prefix of an imported account. */
  readonly jetstreamDomain?: string | null;
  readonly jetstreamApiPrefix?: string | null;
  /** What the subjects begin with that answers come to; null: `_INBOX`. */
  readonly inboxPrefix?: string | null;
}

export const DEFAULT_API_PREFIX = "$JS.API";

/** Throws UsageError where both are given: they may not mean the same. */
export function apiPrefixOf({ jetstreamDomain, jetstreamApiPrefix }: NatsLogin): string {
  if (jetstreamDomain && jetstreamApiPrefix) {
    throw new UsageError(
      "Cannot tell which JetStream is meant: there are a domain and an API prefix. Give one of nats-jetstream-domain and nats-jetstream-api-prefix.",
    );
  }
  if (jetstreamDomain) return `$JS.${jetstreamDomain}.API`;
  return jetstreamApiPrefix ? jetstreamApiPrefix.replace(/\.$/, "") : DEFAULT_API_PREFIX;
}

type Credentials = Pick<NodeConnectionOptions, "user" | "pass" | "token" | "authenticator">;

/** Throws UsageError where a file cannot be read; what is in one is never shown. */
export function credentialsOf(login: NatsLogin): Credentials {
  if (login.creds) return { authenticator: credsAuthenticator(read("credentials", login.creds)) };
  const seed = login.nkey ? read("nkey seed", login.nkey) : undefined;
  if (login.userJwt) return { authenticator: jwtAuthenticator(login.userJwt, seed) };
  if (seed) return { authenticator: nkeyAuthenticator(seed) };
  if (login.user) return { user: login.user, pass: secret("password", login.password, login.passwordFile) ?? "" };
  const token = secret("token", login.token, login.tokenFile);
  return token === undefined ? {} : { token };
}

/** Null where nothing asks for TLS: the server may still do. Throws UsageError where a file cannot be read. */
export function tlsOf(login: NatsLogin, isWanted: boolean): NonNullable<NodeConnectionOptions["tls"]> | null {
  const { cert, key, ca, tlsFirst } = login;
  if (!isWanted && !cert && !key && !ca && !tlsFirst) return null;
  const text = (what: string, path: string) => Buffer.from(read(what, path)).toString("utf8");
  return {
    ...(cert ? { cert: text("certificate", cert) } : {}),
    ...(key ? { key: text("key", key) } : {}),
    ...(ca ? { ca: text("certificate authority", ca) } : {}),
    ...(tlsFirst ? { handshakeFirst: true } : {}),
  };
}

function secret(what: string, given: string | null | undefined, path: string | null | undefined): string | undefined {
  if (given) return given;
  return path ? Buffer.from(read(what, path)).toString("utf8").trim() : undefined;
}

function read(what: string, path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    throw new UsageError(
      `Cannot read the ${what} for NATS from ${path}: ${errorMessage(error)}. Name a file that is there and may be read.`,
    );
  }
}
