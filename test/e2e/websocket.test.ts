import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectNats } from "@cim-replay/nats";
import { builtinFor } from "@cim-replay/projections";
import {
  freePort,
  generateEvents,
  publishEvents,
  readAllMessages,
  readBucket,
  referenceFold,
  startNats,
  startRedis,
} from "@cim-replay/testkit";
import { expect, it } from "vitest";
import { ReplayProcess } from "../support/replay-process.ts";

it("a domain is replayed, certified, verified and looked after over a WebSocket alone", async () => {
  await using stack = new AsyncDisposableStack();
  const port = await freePort();
  const listen = `websocket { listen: "127.0.0.1:${port}", no_tls: true }`;
  const users = 'authorization { user: ann, password: "s3cret" }';
  const nats = stack.adopt(await startNats({ config: `${listen}\n${users}` }), (each) => each.stop());
  const redis = stack.adopt(await startRedis(), (each) => each.stop());
  const cwd = stack.adopt(await mkdtemp(join(tmpdir(), "cim-replay-websocket-")), (path) =>
    rm(path, { recursive: true }),
  );
  const client = stack.adopt(
    await connectNats({ url: nats.url.replace("//", "//ann:s3cret@"), name: "test" }),
    (each) => each.close(),
  );
  await client.jsm.streams.add({ name: "EVENTS", subjects: ["events.>"] });
  const what = { domains: ["graph"], events: 30_000, aggregates: 2_000, skew: 1, seed: 3 };
  await publishEvents(client, { stream: "EVENTS", events: generateEvents(what) });
  const expected = await referenceFold(readAllMessages(client, "EVENTS"), builtinFor("graph"), { domain: "graph" });

  const env = {
    ...{ PATH: process.env.PATH ?? "", NATS_URL: `ws://ann:s3cret@127.0.0.1:${port}`, NATS_CONTEXT: "none" },
    ...{
      REDIS_URL: redis.url,
      CIM_REPLAY_METRICS_PORT: "off",
      CIM_REPLAY_LOG_LEVEL: "info",
      CIM_REPLAY_BACKUP_DIR: join(cwd, "backups"),
    },
  };
  const finish = async (tool: string, ...args: string[]) => {
    const run = new ReplayProcess(tool, args, { cwd, env });
    expect(await run.exited, run.said).toBe(0);
    expect(run.said).not.toContain("s3cret");
    expect(run.said).not.toContain("without a thread of its own");
    return run;
  };
  const flags = ["--domain", "graph", "--certify", "full"];
  for (const [target, ...more] of [
    ["DIRECT", "--source", "direct", "--read-thread", "off"],
    ["THREAD", "--source", "direct", "--read-thread", "on"],
    ["SHUFFLED", "--source", "shuffle", "--units", "2"],
  ] as const) {
    const { said } = await finish("domain-replay", ...flags, "--target", target, ...more);
    expect(said).toContain(`"ownThread":${target === "THREAD"},`);
    const entries = [...(await readBucket(client, target))].map(([key, { value }]) => [key, value] as const);
    expect(new Map(entries)).toEqual(expected);
  }
  await finish("verify-domain", "--domain", "graph", "--target", "SHUFFLED");
  await finish("replay-status", "--domain", "graph");
  await finish("cim-replay", "doctor");
}, 180_000);

it("over TLS as well, by authorities that Node is told of", async () => {
  await using stack = new AsyncDisposableStack();
  const cwd = stack.adopt(await mkdtemp(join(tmpdir(), "cim-replay-wss-")), (path) => rm(path, { recursive: true }));
  const [cert, key] = [join(cwd, "cert.pem"), join(cwd, "key.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"];
  const request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", cert];
  execFileSync("openssl", [...request, ...subject], { stdio: "ignore" });
  const port = await freePort();
  const tls = `tls { cert_file: "${cert}", key_file: "${key}" }`;
  const config = `websocket { listen: "127.0.0.1:${port}", ${tls} }`;
  stack.adopt(await startNats({ config }), (each) => each.stop());
  const redis = stack.adopt(await startRedis(), (each) => each.stop());
  const status = async (more: Readonly<Record<string, string>>) => {
    const url = { NATS_URL: `wss://127.0.0.1:${port}`, NATS_CONTEXT: "none", REDIS_URL: redis.url };
    const env = { PATH: process.env.PATH ?? "", CIM_REPLAY_METRICS_PORT: "off", ...url, ...more };
    const run = new ReplayProcess("generate-events", ["--events", "2000", "--aggregates", "50"], { cwd, env });
    return { status: await run.exited, said: run.said };
  };
  const trusted = await status({ NODE_EXTRA_CA_CERTS: cert });
  expect(trusted.status, trusted.said).toBe(0);
  const refused = await status({});
  expect(refused.status).toBe(3);
  expect(refused.said).toContain(`Cannot reach NATS at wss://127.0.0.1:${port}: `);
}, 60_000);
