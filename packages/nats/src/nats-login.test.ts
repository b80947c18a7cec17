import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UnreachableError, UsageError } from "@cim-replay/core";
import { startNats, uniqueName } from "@cim-replay/testkit";
import { nkeys } from "nats";
import { expect, test } from "vitest";
import { connectNats } from "./connect.ts";
import { splitterOf } from "./frame-reading.ts";
import { forgeJwt } from "./jwt.fixture.ts";
import type { NatsLogin } from "./nats-login.ts";
import { readStream } from "./reader.ts";
import { fillStream, makeStream, numbers, optionsFor, readSequences, factsOf } from "./reader-fixture.ts";

const folder = mkdtempSync(join(tmpdir(), "cim-replay-login-"));

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** Connects with `good`, and is refused with `bad` without a word of what was tried. */
async function holds(config: string, good: NatsLogin, bad: NatsLogin, secret: string): Promise<void> {
  const server = await startNats({ config });
  try {
    const client = await connectNats({ url: server.url, name: "test", login: good });
    expect((await client.jsm.getAccountInfo()).limits).toBeDefined();
    await client.close();
    const error: unknown = await connectNats({ url: server.url, name: "test", login: bad }).catch((caught) => caught);
    expect(error).toBeInstanceOf(UnreachableError);
    expect(String(error)).toMatch(/refuses the credentials/);
    expect(String(error)).not.toContain(secret);
  } finally {
    await server.stop();
  }
}

test("a user's password comes from the environment or a file", async () => {
  const config = 'authorization { user: ann, password: "s3cret word" }';
  const passwordFile = file("password", "s3cret word\n");
  await holds(config, { user: "ann", password: "s3cret word" }, { user: "ann", password: "wr0ng" }, "wr0ng");
  await holds(config, { user: "ann", passwordFile }, {}, "s3cret");
});

test("a token comes from a file", async () => {
  await holds("authorization { token: t0ken }", { tokenFile: file("token", "t0ken\n") }, { token: "wr0ng" }, "wr0ng");
});

test("an nkey's seed signs the server's nonce", async () => {
  const [user, stranger] = [nkeys.createUser(), nkeys.createUser()];
  const config = `authorization { users: [{ nkey: ${user.getPublicKey()} }] }`;
  const strangers = file("stranger.nk", stranger.getSeed());
  const seed = Buffer.from(stranger.getSeed()).toString();
  await holds(config, { nkey: file("user.nk", user.getSeed()) }, { nkey: strangers }, seed);
});

test("a credentials file, or a JWT beside its seed, is a user of an operator's account", async () => {
  const { config, jwt, seed, creds } = forgeJwt();
  const bad = { creds: file("stranger.creds", forgeJwt().creds) };
  await holds(config, { creds: file("user.creds", creds) }, bad, "SUA");
  await holds(config, { userJwt: jwt, nkey: file("jwt.nk", seed) }, bad, "SUA");
});

test("a file that is not there is named, and no secret shown", async () => {
  const login = { creds: join(folder, "none.creds") };
  await expect(connectNats({ url: "nats://127.0.0.1:1", name: "test", login })).rejects.toThrow(UsageError);
});

test.each([
  ["after the server's greeting", "", {}],
  ["before it", "handshake_first: auto", { tlsFirst: true }],
])("bulk reads go through the splitter over TLS, negotiated %s", async (_, more, login) => {
  const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"];
  const files = ["-keyout", key, "-out", cert];
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...files, ...subject], {
    stdio: "ignore",
  });
  const server = await startNats({ config: `tls { cert_file: "${cert}", key_file: "${key}", ${more} }` });
  try {
    const client = await connectNats({ url: server.url, name: "test", login: { ...login, ca: cert } });
    const stream = uniqueName("TLS");
    await makeStream(client, stream);
    await fillStream(client, stream, 50_000);
    expect(splitterOf(client.nc)).not.toBeNull();
    expect(await readSequences(readStream, client, optionsFor(await factsOf(client, stream)))).toEqual(
      numbers(1, 50_000),
    );
    await client.close();
    await expect(connectNats({ url: server.url, name: "test" })).rejects.toThrow(UnreachableError);
  } finally {
    await server.stop();
  }
});

test("a server that asks for a client's certificate gets it, and refuses whoever has none", async () => {
  const [cert, key] = [join(folder, "mutual-cert.pem"), join(folder, "mutual-key.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"];
  const files = ["-keyout", key, "-out", cert];
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...files, ...subject], {
    stdio: "ignore",
  });
  const config = `tls { cert_file: "${cert}", key_file: "${key}", ca_file: "${cert}", verify: true }`;
  const server = await startNats({ config });
  try {
    const client = await connectNats({ url: server.url, name: "test", login: { ca: cert, cert, key } });
    expect((await client.jsm.getAccountInfo()).limits).toBeDefined();
    await client.close();
    const refused = connectNats({ url: server.url, name: "test", login: { ca: cert } });
    await expect(refused).rejects.toThrow(UnreachableError);
  } finally {
    await server.stop();
  }
});
