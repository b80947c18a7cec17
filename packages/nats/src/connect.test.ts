import { ReplayError, UnreachableError, UsageError } from "@cim-replay/core";
import { locateNats, startNats } from "@cim-replay/testkit";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { connectNats, isOlder } from "./connect.ts";
import { parseNatsUrl } from "./nats-url.ts";
import { type LiveReport, onControl, onLive, publishLive, sendControl } from "./signals.ts";
import { streamFacts } from "./stream-info.ts";

async function failure(url: string): Promise<Error> {
  const error = await connectNats({ url, name: "test" }).then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error)) throw new Error("it connected");
  return error;
}

/** Listens and never says a word. */
async function silentServer() {
  const server = createServer(() => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { port: address.port, close: () => server.close() };
}

test("a server that is not there is named without the credentials", async () => {
  const error = await failure("nats://ann:s3cret@127.0.0.1:1");
  expect(error).toBeInstanceOf(UnreachableError);
  expect(error.message).toBe(
    "Cannot reach NATS at nats://127.0.0.1:1: connection refused. Start one with `cim-replay servers up`, or set NATS_URL.",
  );
});

test("a server that says nothing fails within 5 s", async () => {
  const server = await silentServer();
  const startedAt = Date.now();
  const error = await failure(`nats://127.0.0.1:${server.port}`);
  expect(error).toBeInstanceOf(UnreachableError);
  expect(error.message).toMatch(/no answer within 5 s/);
  expect(Date.now() - startedAt).toBeLessThan(5_600);
  server.close();
});

test("one of several servers is enough, and credentials come from the URL", async () => {
  const server = await startNats({ config: 'authorization { user: ann, password: "p@ss/word" }' });
  try {
    const url = `nats://ann:p%40ss%2Fword@127.0.0.1:1,nats://127.0.0.1:${server.port}`;
    const client = await connectNats({ url, name: "test" });
    expect(client.serverVersion).toMatch(/^2\./);
    await client.close();
    await client.close();
    const error = await failure(`nats://ann:wrong@127.0.0.1:${server.port}`);
    expect(error).toBeInstanceOf(UnreachableError);
    expect(error.message).toMatch(/refuses the credentials/);
    expect(error.message).not.toMatch(/wrong/);
  } finally {
    await server.stop();
  }
});

test("the oldest version that is supported connects, older ones are refused", async () => {
  const server = await startNats({ binary: await locateNats({ version: "oldest" }) });
  try {
    const client = await connectNats({ url: server.url, name: "test" });
    expect(client.serverVersion).toBe("2.10.27");
    await client.close();
  } finally {
    await server.stop();
  }
  expect(isOlder("2.9.10", "2.10.27")).toBe(true);
  expect(isOlder("2.10.26", "2.10.27")).toBe(true);
  expect(isOlder("2.10.27-beta.1", "2.10.27")).toBe(false);
  expect(isOlder("2.11.0", "2.10.27")).toBe(false);
  expect(isOlder("3.0.0", "2.10.27")).toBe(false);
});

test("a server without JetStream for this account says so", async () => {
  const server = await startNats({
    config:
      "accounts { PLAIN { users: [{ user: plain, password: plain }] }, JS { jetstream: enabled, users: [{ user: js, password: js }] } }",
  });
  try {
    const error = await failure(`nats://plain:plain@127.0.0.1:${server.port}`);
    expect(error).toBeInstanceOf(ReplayError);
    expect(error).not.toBeInstanceOf(UnreachableError);
    expect(error.message).toMatch(/JetStream is not enabled/);
  } finally {
    await server.stop();
  }
});

test("an outage fails requests in time, and the connection comes back by itself", async () => {
  const server = await startNats();
  const client = await connectNats({ url: server.url, name: "test" });
  try {
    await server.kill();
    const startedAt = Date.now();
    await expect(streamFacts(client, "ANY")).rejects.toThrow(UnreachableError);
    expect(Date.now() - startedAt).toBeLessThan(7_000);
    await server.restart();
    await client.link.waitUntilUp(10_000);
    expect(await streamFacts(client, "ANY")).toBeNull();
  } finally {
    await client.close();
    await server.stop();
  }
});

test("addresses are parsed, and what is no NATS address is refused", () => {
  expect(parseNatsUrl("localhost").servers).toEqual(["localhost:4222"]);
  expect(parseNatsUrl("tls://a:1, nats://[::1]:2")).toMatchObject({ servers: ["a:1", "[::1]:2"], tls: true });
  expect(parseNatsUrl("nats://t0ken@h")).toMatchObject({ token: "t0ken", user: undefined, shown: "nats://h:4222" });
  expect(parseNatsUrl("ws://u:p@h/nats,wss://i:1")).toMatchObject({
    ...{ servers: ["ws://h:80/nats", "wss://i:1/"], shown: "ws://h:80,wss://i:1" },
    ...{ user: "u", password: "p", isWebSocket: true, tls: false },
  });
  for (const wrong of ["", "http://127.0.0.1", "nats://", "ws://a,nats://b"])
    expect(() => parseNatsUrl(wrong)).toThrow(UsageError);
});

test("signals reach who listens, and what does not parse is dropped", async () => {
  const server = await startNats();
  const client = await connectNats({ url: server.url, name: "test" });
  try {
    const report: LiveReport = {
      workerId: "w",
      runId: "r1",
      unit: "u",
      epoch: 1,
      readSeq: 2,
      delivered: 3,
      applied: 4,
      quarantined: 0,
      entriesWritten: 5,
      lastEventAtMs: null,
      memoryBytes: 6,
      inFlightBytes: 7,
      stageMicros: { fetch: 1, fold: 3, checkpoint: 4, write: 5 },
      recoveries: 0,
    };
    const got: unknown[] = [];
    const stopControl = onControl(client, "r1", (message) => got.push(message));
    onLive(client, "r1", (message) => got.push(message));
    client.nc.publish("_CIM_REPLAY.control.r1", "no json");
    client.nc.publish("_CIM_REPLAY.control.r1", '{"kind":"explode"}');
    client.nc.publish("_CIM_REPLAY.live.r1", "{}");
    sendControl(client, "r2", { kind: "checkpoint" });
    sendControl(client, "r1", { kind: "checkpoint" });
    publishLive(client, report);
    await client.nc.flush();
    expect(got).toEqual([{ kind: "checkpoint" }, report]);
    stopControl();
    sendControl(client, "r1", { kind: "checkpoint" });
    await client.nc.flush();
    expect(got).toHaveLength(2);
  } finally {
    await client.close();
    await server.stop();
  }
  expect(() => publishLive(client, {} as LiveReport)).not.toThrow();
});
