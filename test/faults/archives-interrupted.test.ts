import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listCheckpoints, unfinishedRestore, unfinishedStreamRestore } from "@cim-replay/archive";
import { connectNats, EntryWriter, ensureBucket, type NatsClient, publishAll } from "@cim-replay/nats";
import { startNats } from "@cim-replay/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ReplayProcess } from "../support/replay-process.ts";
import { until } from "../support/until.ts";

const ENTRIES = 20_000;
const EVENTS = 60_000;
const INTERRUPTED = 130;
const SAID = "Interrupted. The same command goes on where it was, or begins anew";

let nats: Awaited<ReturnType<typeof startNats>>;
let client: NatsClient;
let folder: string;

beforeAll(async () => {
  nats = await startNats();
  client = await connectNats({ url: nats.url, name: "test" });
  await ensureBucket(client, "KEPT");
  const writer = new EntryWriter(client, "KEPT");
  for (let i = 0; i < ENTRIES; i++) {
    const provenance = { run: "r", epoch: 1, lastSeq: i, events: 1, sha256: "0".repeat(64) };
    await writer.put(`shop.a${i}`, `{"n":${i},"z":"${"0".repeat(400)}"}`, provenance, 0);
  }
  await writer.flush();
  await client.jsm.streams.add({ name: "EVENTS", subjects: ["events.>"] });
  const messages = Array.from({ length: EVENTS }, (_, i) => ({
    subject: `events.shop.a${i % 99}.Moved`,
    data: Buffer.from(`{"n":${i},"z":"${"0".repeat(400)}"}`),
  }));
  await publishAll(client, { stream: "EVENTS", messages });
});
afterAll(async () => {
  await client.close();
  await nats.stop();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cim-replay-archives-interrupted-"));
  return () => rmSync(folder, { recursive: true });
});

function start(line: string): ReplayProcess {
  const [tool = "", ...args] = line.split(" ");
  // What commands keep for a while lies in the folder as well.
  const cache = join(tmpdir(), "node-compile-cache");
  const env = { PATH: process.env.PATH ?? "", NATS_URL: nats.url, TMPDIR: folder, NODE_COMPILE_CACHE: cache };
  return new ReplayProcess(tool, args, { cwd: folder, env });
}

async function finish(line: string): Promise<void> {
  const run = start(line);
  expect(await run.exited, run.said).toBe(0);
}

/** Ctrl-C as soon as the work has begun. */
async function interrupt(line: string, hasBegun: () => Promise<boolean> | boolean): Promise<void> {
  const run = start(line);
  await until(
    async () => (await hasBegun()) || null,
    () => `the work of ${run.said}`,
  );
  run.kill("SIGINT");
  expect(await run.exited, run.said).toBe(INTERRUPTED);
  expect(run.stderr).toContain(SAID);
}

const lastSeq = (stream: string) =>
  client.jsm.streams.info(stream).then(
    ({ state }) => state.last_seq,
    () => 0,
  );

describe("Ctrl-C", { timeout: 120_000 }, () => {
  it.each([
    "backup-events --stream EVENTS --output kept.tar.gz",
    "backup-projections --domain shop --target KEPT --output kept.tar.gz",
  ])("ends `%s` without a file, and the next one is whole", async (line) => {
    await interrupt(line, () => readdirSync(folder).length > 0);
    expect(readdirSync(folder)).toEqual([]);
    await finish(line);
    expect(readdirSync(folder)).toEqual(["kept.tar.gz"]);
  });

  it("ends create-checkpoint without one, and without a file; the same name is free", async () => {
    const line = "create-checkpoint --name kept --target KEPT";
    await interrupt(line, () => readdirSync(folder).length > 0);
    expect(readdirSync(folder)).toEqual([]);
    expect((await listCheckpoints(client)).checkpoints).toEqual([]);
    await finish(line);
    const [kept, ...others] = (await listCheckpoints(client)).checkpoints;
    expect([kept?.name, kept?.entries, others]).toEqual(["kept", ENTRIES, []]);
  });

  it("ends restore-events where it is, marked as unfinished; the same command goes on", async () => {
    await finish("backup-events --stream EVENTS --output kept.tar.gz");
    const line = "restore-events --backup kept.tar.gz --stream COPY --subject-prefix copy";
    await interrupt(line, async () => (await lastSeq("COPY")) > 0);
    const half = await lastSeq("COPY");
    expect(half).toBeLessThan(EVENTS);
    expect(await unfinishedStreamRestore(client, "COPY")).toContain("restore-events");
    await finish(line);
    expect(await lastSeq("COPY")).toBe(EVENTS);
    expect(await unfinishedStreamRestore(client, "COPY")).toBeNull();
  });

  it("ends restore-projections where it is, marked as unfinished; the same command finishes it", async () => {
    await finish("backup-projections --domain shop --target KEPT --output kept.tar.gz");
    const line = "restore-projections --backup kept.tar.gz --target COPY";
    await interrupt(line, async () => (await lastSeq("KV_COPY")) > 0);
    expect(await lastSeq("KV_COPY")).toBeLessThan(ENTRIES);
    expect(await unfinishedRestore(client, "COPY")).toContain("restore-projections");
    await finish(line);
    expect((await client.jsm.streams.info("KV_COPY")).state.messages).toBe(ENTRIES);
    expect(await unfinishedRestore(client, "COPY")).toBeNull();
  });
});
