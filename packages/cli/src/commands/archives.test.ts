import { hash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectNats, EntryWriter, ensureBucket, Ledger, type NatsClient, readEntries } from "@cim-replay/nats";
import { freePort, startNats, uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { runTool as startTool, type ToolResult } from "../run-tool.fixture.ts";

let nats: Awaited<ReturnType<typeof startNats>>;
let client: NatsClient;
let folder: string;
let file: string;
let bucket: string;

beforeAll(async () => {
  nats = await startNats();
  client = await connectNats({ url: nats.url, name: "test" });
  await client.jsm.streams.add({ name: "EVENTS", subjects: ["events.>"] });
  for (const id of ["a", "b", "a"]) await client.js.publish(`events.shop.${id}.Moved`, "{}");
});
afterAll(async () => {
  await client.close();
  await nats.stop();
});
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "cim-replay-cli-archives-"));
  file = join(folder, "kept.tar.gz");
  bucket = uniqueName("CLI");
  await ensureBucket(client, bucket);
  for (const key of ["shop.a", "shop.b", "person.p"]) await put(key, `{"key":"${key}"}`, 0);
  return () => rmSync(folder, { recursive: true });
});

/** With no queue: none of these commands may ask for one. */
function runTool(tool: string, args: readonly string[], natsUrl = nats.url): Promise<ToolResult> {
  return startTool(tool, args, { cwd: folder, env: { NATS_URL: natsUrl, REDIS_URL: "redis://127.0.0.1:1" } });
}

async function put(key: string, value: string, revision: number): Promise<void> {
  const writer = new EntryWriter(client, bucket);
  await writer.put(key, value, { run: "r", epoch: 1, lastSeq: 1, events: 1, sha256: hash("sha256", value) }, revision);
  expect(await writer.flush()).toEqual({ refused: [] });
}

async function content(): Promise<string[]> {
  const lines: string[] = [];
  for await (const batch of readEntries(client, bucket, ">")) {
    for (const { key, value, provenance } of batch) lines.push(`${key} ${Buffer.from(value)} ${provenance?.sha256}`);
  }
  return lines.sort();
}

const revisionNow = async () => (await client.jsm.streams.info(`KV_${bucket}`)).state.last_seq;

describe("projections", () => {
  test("are backed up and restored; a dry run says what would be done and does nothing", async () => {
    const before = await content();
    const made = await runTool("backup-projections", ["--domain", "all", "--output", file, "--target", bucket]);
    expect(made).toMatchObject({ status: 0, stderr: "" });
    expect(made.stdout).toMatch(/^of +person, shop\nentries +3 from bucket CLI\S+ at revision 3$/m);
    expect(made.stdout).toMatch(/^stream of shop +EVENTS at sequence 3$/m);
    expect(made.stdout).toContain(hash("sha256", readFileSync(file)));
    expect(readdirSync(folder)).toEqual(["kept.tar.gz"]);

    await put("shop.a", "damaged", 1);
    await put("shop.extra", "{}", 0);
    const args = ["--backup", file, "--target", bucket];
    const revision = await revisionNow();
    const dry = await runTool("restore-projections", [...args, "--dry-run"]);
    expect(dry).toMatchObject({ status: 0, stderr: "" });
    expect(dry.stdout).toMatch(/would write +1\nunchanged +2\nwould remove +1\n/);
    expect(await revisionNow()).toBe(revision);

    const restored = await runTool("restore-projections", args);
    expect(restored).toMatchObject({ status: 0, stderr: "" });
    expect(restored.stdout).toMatch(/written +1\nunchanged +2\nremoved +1\nverified +3 entries, read back\n/);
    expect(await content()).toEqual(before);
    const again = await runTool("restore-projections", [...args, "--format", "json"]);
    expect(JSON.parse(again.stdout)).toMatchObject({
      ...{ domains: ["person", "shop"], bucket, dry_run: false, entries: 3 },
      ...{ written: 0, unchanged: 3, removed: 0, verified: 3 },
    });
  });

  test("stay as they are where the archive is damaged: 1; or not named, or of another bucket: 2; without a server: 3", async () => {
    const one = ["--domain", "shop", "--output", file, "--target", bucket];
    expect(await runTool("backup-projections", one)).toMatchObject({ status: 0 });
    const elsewhere = await runTool("restore-projections", ["--backup", file]);
    expect(elsewhere).toMatchObject({ status: 2, stdout: "" });
    expect(elsewhere.stderr).toContain(`taken from bucket ${bucket}, not from CIM_PROJECTIONS`);
    const away = `nats://127.0.0.1:${await freePort()}`;
    const args = ["--backup", file, "--target", bucket];
    expect(await runTool("restore-projections", args, away)).toMatchObject({ status: 3, stdout: "" });

    const revision = await revisionNow();
    const bytes = readFileSync(file);
    bytes[60] = (bytes[60] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    const damaged = await runTool("restore-projections", args);
    expect(damaged).toMatchObject({ status: 1, stdout: "" });
    expect(damaged.stderr).toContain("its seal is missing or does not fit");
    expect(await runTool("restore-projections", [])).toMatchObject({ status: 2 });
    expect(await runTool("restore-projections", ["--backup", "none"])).toMatchObject({ status: 2 });
    expect(await runTool("backup-projections", ["--domain", "shop"])).toMatchObject({ status: 2 });
    expect(await revisionNow()).toBe(revision);
  });

  test("are not restored while somebody holds their domain", async () => {
    const args = ["--backup", file, "--target", bucket];
    expect(
      await runTool("backup-projections", ["--domain", "shop", "--output", file, "--target", bucket]),
    ).toMatchObject({ status: 0 });
    const { acquireQuietTarget } = await import("@cim-replay/coordinator");
    const { silentLog } = await import("@cim-replay/core");
    const ledger = await Ledger.open(client, { create: true });
    if (!ledger) throw new Error("no ledger");
    const subject = { domain: "shop", target: bucket, runId: "r-at-work" };
    const { lease } = await acquireQuietTarget({ ledger, log: silentLog }, subject);
    const refused = await runTool("restore-projections", args).finally(() => lease.release());
    expect(refused).toMatchObject({ status: 1, stdout: "" });
    expect(refused.stderr).toContain("r-at-work");
    expect(await runTool("restore-projections", args)).toMatchObject({ status: 0 });
  });
});

describe("an aggregate", () => {
  test("is backed up with its events", async () => {
    const args = ["--domain", "shop", "--output", file, "--target", bucket, "--format", "json"];
    const made = await runTool("backup-aggregate", ["--aggregate-id", "a", ...args]);
    expect(made).toMatchObject({ status: 0, stderr: "" });
    expect(JSON.parse(made.stdout)).toMatchObject({ kind: "aggregate", aggregate_id: "a", entries: 1, events: 2 });
    const unknown = await runTool("backup-aggregate", ["--aggregate-id", "zz", ...args]);
    expect(unknown).toMatchObject({ status: 1, stdout: "" });
    expect(await runTool("backup-aggregate", args)).toMatchObject({ status: 2, stdout: "" });
  });
});
