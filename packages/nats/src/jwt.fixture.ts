import { randomUUID } from "node:crypto";
import { nkeys } from "nats";

type KeyPair = ReturnType<typeof nkeys.createUser>;

const base64 = (text: string | Uint8Array) => Buffer.from(text).toString("base64url");

function sign(issuer: KeyPair, subject: KeyPair, type: string, claims: object): string {
  const header = base64(JSON.stringify({ typ: "JWT", alg: "ed25519-nkey" }));
  const body = {
    jti: randomUUID(),
    iat: Math.floor(Date.now() / 1000),
    iss: issuer.getPublicKey(),
    name: type,
    sub: subject.getPublicKey(),
    nats: { ...claims, type, version: 2 },
  };
  const signed = `${header}.${base64(JSON.stringify(body))}`;
  return `${signed}.${base64(issuer.sign(new TextEncoder().encode(signed)))}`;
}

const UNLIMITED = { subs: -1, data: -1, payload: -1 };
const ACCOUNT = { ...UNLIMITED, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
const JETSTREAM = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };

/** An operator with a system account and one with JetStream, as a server's configuration, and a user of the latter. */
export function forgeJwt() {
  const [operator, system, account] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createAccount()];
  const user = nkeys.createUser();
  const accounts = [
    [system, sign(operator, system, "account", { limits: ACCOUNT })],
    [account, sign(operator, account, "account", { limits: { ...ACCOUNT, ...JETSTREAM } })],
  ] as const;
  const jwt = sign(account, user, "user", { ...UNLIMITED, pub: {}, sub: {} });
  const seed = Buffer.from(user.getSeed()).toString();
  const part = (title: string, text: string) => `-----BEGIN ${title}-----\n${text}\n------END ${title}------\n\n`;
  return {
    jwt,
    seed,
    creds: part("NATS USER JWT", jwt) + part("USER NKEY SEED", seed),
    config: `operator: ${sign(operator, operator, "operator", { system_account: system.getPublicKey() })}
system_account: ${system.getPublicKey()}
resolver: MEMORY
resolver_preload { ${accounts.map(([key, token]) => `${key.getPublicKey()}: ${token}`).join("\n")} }`,
  };
}
