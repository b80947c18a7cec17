import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectNats, type NatsClient } from "@cim-replay/nats";
import { freePort, startNats } from "@cim-replay/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { runTool, type ToolResult } from "../run-tool.fixture.ts";

let nats: Awaited<ReturnType<typeof startNats>>;
let client: NatsClient;
let folder: string;

beforeAll(async () => {
  nats = await startNats();
  client = await connectNats({ url: nats.url, name: "test" });
  await client.jsm.streams.add({ name: "EVENTS", subjects: ["events.>"] });
  for (let i = 0; i < 20; i++) await client.js.publish(`events.${i % 2 ? "shop" : "graph"}.a.Moved`, `{"n":${i}}`);
});
afterAll(async () => {
  await client.close();
  await nats.stop();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cim-replay-events-archives-"));
  return () => rm(folder, { recursive: true });
});

function tool(name: string, ...args: readonly string[]): Promise<ToolResult> {
  return runTool(name, args, { cwd: folder, env: { NATS_URL: nats.url } });
}

async function messagesOf(stream: string): Promise<number> {
  return (await client.jsm.streams.info(stream)).state.messages;
}

describe("backup-events and restore-events", () => {
  test.each([
    ["a.tar.gz", [], "1f8b"],
    ["a.tar.zst", [], "28b5"],
    ["a.tar", [], "6576"],
    ["a.backup", [], "1f8b"],
    ["b.tar.gz", ["--compression", "zstd"], "28b5"],
    ["c.tar.zst", ["--compression", "gzip"], "1f8b"],
    ["d.tar.gz", ["--compression", "none"], "6576"],
  ])("pack %s with %j as the name or the flag says, and it comes back", async (output, flags, magic) => {
    const made = await tool("backup-events", "--stream", "EVENTS", "--output", output, ...flags);
    expect(made).toMatchObject({ status: 0, stderr: "" });
    expect((await readFile(join(folder, output))).toString("hex", 0, 2)).toBe(magic);
    const copy = `COPY_${output.replace(/\W/g, "_")}`;
    const restored = await tool("restore-events", "--backup", output, "--stream", copy, "--subject-prefix", copy);
    expect(restored).toMatchObject({ status: 0 });
    expect(await messagesOf(copy)).toBe(20);
  });

  test("say the same in JSON, a domain's part alone, and what a dry run would do", async () => {
    const args = ["--domain", "shop", "--output", "shop.tar.gz", "--format", "json"];
    const made = JSON.parse((await tool("backup-events", ...args)).stdout);
    expect(made).toMatchObject({ events: 10 });
    const dry = [
      "--backup",
      "shop.tar.gz",
      "--stream",
      "DRY",
      "--subject-prefix",
      "dry",
      "--dry-run",
      "--format",
      "json",
    ];
    const { stdout, status } = await tool("restore-events", ...dry);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ dry_run: true });
    await expect(client.jsm.streams.info("DRY")).rejects.toThrow("stream not found");
  });

  test("leave a restore in the audit log, with its stream, archives and outcome; a dry run is none", async () => {
    await tool("backup-events", "--domain", "shop", "--output", "shop.tar");
    const into = ["--backup", "shop.tar", "--stream", "AUDITED", "--subject-prefix", "audited"];
    expect(await tool("restore-events", ...into, "--dry-run")).toMatchObject({ status: 0 });
    expect(await tool("restore-events", ...into)).toMatchObject({ status: 0 });
    const { stdout } = await tool("audit-log", "--domain", "shop", "--format", "json");
    expect(JSON.parse(stdout).filter(({ target }: { target: string }) => target === "AUDITED")).toMatchObject([
      {
        command: "restore-events",
        step: "started",
        parameters: { backup: [join(folder, "shop.tar")], from: "EVENTS" },
      },
      {
        step: "ended",
        parameters: { done: true },
        outcome: "10 events written, 0 unchanged, 10 read back, in stream AUDITED",
      },
    ]);
  });

  test("go on with increments, and refuse a chain with a link missing", async () => {
    expect(await tool("backup-events", "--stream", "EVENTS", "--to-seq", "5", "--output", "1.tar")).toMatchObject({
      status: 0,
    });
    const since = (file: string) => ["--stream", "EVENTS", "--since-archive", file];
    await tool("backup-events", ...since("1.tar"), "--to-seq", "12", "--output", "2.tar");
    await tool("backup-events", ...since("2.tar"), "--output", "3.tar");
    const into = ["--stream", "CHAIN", "--subject-prefix", "chain"];
    const torn = await tool("restore-events", "--backup", "1.tar", "3.tar", ...into);
    expect(torn).toMatchObject({ status: 2, stdout: "" });
    expect(torn.stderr).toMatch(/^Cannot .*\n$/);
    expect(await tool("restore-events", "--backup", "3.tar", "1.tar", "2.tar", ...into)).toMatchObject({ status: 0 });
    expect(await messagesOf("CHAIN")).toBe(20);
  });

  test.each([
    ["backup-events", [], "it takes a stream and a file"],
    [
      "backup-events",
      ["--stream", "EVENTS", "--output", "x.tar", "--from-seq", "1", "--since-archive", "y"],
      "two places",
    ],
    ["backup-events", ["--stream", "EVENTS", "--output", "x.tar", "--compression", "rar"], "--compression"],
    ["restore-events", [], "no archive is named"],
    ["restore-events", ["--backup", "nowhere.tar"], "nowhere.tar"],
    [
      "restore-events",
      ["--backup", "x.tar", "--keep-subjects", "--subject-prefix", "a"],
      "Cannot both keep and prefix",
    ],
    ["restore-events", ["--backup", "x.tar", "--subject-prefix", "a.*"], "Cannot use subject prefix"],
  ])("%s %j is a mistake of use, told in a line", async (name, args, words) => {
    const refused = await tool(name, ...args);
    expect(refused).toMatchObject({ status: 2, stdout: "" });
    expect(refused.stderr).toContain(words);
    expect(refused.stderr).not.toMatch(/^\s+at /m);
    expect(await readdir(folder)).toEqual([]);
  });

  test("leave nothing behind where the server is away or the stream is not there", async () => {
    const args = ["--stream", "NO_SUCH", "--output", "x.tar.gz"];
    expect(await tool("backup-events", ...args)).toMatchObject({ status: 2, stdout: "" });
    const env = { NATS_URL: `nats://127.0.0.1:${await freePort()}` };
    expect(await runTool("backup-events", args, { cwd: folder, env })).toMatchObject({ status: 3, stdout: "" });
    expect(await readdir(folder)).toEqual([]);
  });
});
