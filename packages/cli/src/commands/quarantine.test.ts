import { tmpdir } from "node:os";
import { connectNats, type NatsClient, type QuarantinedEvent, QuarantineStore } from "@cim-replay/nats";
import { planOf, runOf, startNats } from "@cim-replay/testkit";
import { Ledger } from "@cim-replay/nats";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runTool, type ToolResult } from "../run-tool.fixture.ts";

let nats: Awaited<ReturnType<typeof startNats>>;
let client: NatsClient;

beforeAll(async () => {
  nats = await startNats();
  client = await connectNats({ url: nats.url, name: "test" });
});
afterAll(async () => {
  await client.close();
  await nats.stop();
});

function tool(name: string, ...args: readonly string[]): Promise<ToolResult> {
  return runTool(name, args, { cwd: tmpdir(), env: { NATS_URL: nats.url } });
}

async function keep(runId: string, changes: readonly Partial<QuarantinedEvent>[]): Promise<QuarantineStore> {
  const store = await QuarantineStore.open(client, { create: true });
  if (!store) throw new Error("no quarantine");
  for (const change of changes) {
    await store.put({
      ...{
        runId,
        domain: "graph",
        unit: "u0",
        stream: "EVENTS",
        seq: 1,
        subject: "events.graph.a.X",
        aggregateId: "a",
      },
      ...{ kind: "decode", reason: "no JSON", data: Buffer.from("{"), headers: undefined },
      ...change,
    });
  }
  return store;
}

test("without a quarantine nothing is listed, and nothing is found", async () => {
  expect(await tool("quarantine", "list", "--format", "json")).toMatchObject({ status: 0, stdout: "[]\n" });
  expect(await tool("quarantine", "show", "7")).toMatchObject({ status: 1, stdout: "" });
  expect(await tool("quarantine", "show")).toMatchObject({ status: 2, stdout: "" });
});

test("list has all runs' events, or a run's, or a domain's", async () => {
  await keep("list1", [{ seq: 3 }, { seq: 4, domain: "shop" }]);
  await keep("list2", [{ seq: 3 }]);
  const sequences = async (...args: string[]) => {
    const { stdout } = await tool("quarantine", "list", "--format", "json", ...args);
    return (JSON.parse(stdout) as { run_id: string; sequence: number }[]).map(
      (each) => `${each.run_id} ${each.sequence}`,
    );
  };
  expect(await sequences()).toEqual(expect.arrayContaining(["list1 3", "list1 4", "list2 3"]));
  expect(await sequences("--run", "list1")).toEqual(["list1 3", "list1 4"]);
  expect(await sequences("--domain", "shop")).toEqual(["list1 4"]);
  expect((await tool("quarantine", "list", "--run", "list1")).stdout).toMatch(
    /^list1 +shop +4 +open +decode .*no JSON$/m,
  );
});

test("show gives reason, headers and payload, binary as hex, and lets no control character through", async () => {
  await keep("show", [
    {
      seq: 21,
      reason: "bad \u001b[2J",
      headers: { "X-Evil": "\u001b]0;owned\u0007" },
      data: Buffer.from("a\u001b[31m\nb"),
    },
    { seq: 22, data: Uint8Array.of(0, 255, 65) },
  ]);
  const { status, stdout } = await tool("quarantine", "show", "21", "--run", "show");
  expect(status).toBe(0);
  expect(stdout.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
  expect(stdout).toContain("bad \\u001b[2J");
  expect(stdout).toContain("X-Evil");
  expect(stdout).toContain("a\\u001b[31m\nb");
  expect((await tool("quarantine", "show", "22", "--run", "show")).stdout).toContain("000000  00 ff 41 ");
  const { stdout: record } = await tool("quarantine", "show", "22", "--run", "show", "--format", "json");
  expect(JSON.parse(record)).toMatchObject([{ sequence: 22, payload_hex: "00ff41" }]);
});

test("discard removes what it is told to and no more, when it is sure", async () => {
  const store = await keep("gone", [{ seq: 1 }, { seq: 2 }, { seq: 3 }]);
  await keep("stays", [{ seq: 1 }]);
  expect(await tool("quarantine", "discard", "--yes")).toMatchObject({ status: 2 });
  expect(await tool("quarantine", "discard", "--run", "gone")).toMatchObject({ status: 2 });
  expect(await store.count("gone")).toBe(3);
  const one = await tool("quarantine", "discard", "2", "--run", "gone", "--yes");
  expect(one).toMatchObject({ status: 0, stdout: "Discarded 1 kept event of run gone.\n" });
  expect((await store.places("gone")).map(({ seq }) => seq)).toEqual([1, 3]);
  expect(await tool("quarantine", "discard", "--run", "gone", "--yes")).toMatchObject({ status: 0 });
  expect(await store.count("gone")).toBe(0);
  expect(await store.count("stays")).toBe(1);
  const { stdout } = await tool("audit-log", "--format", "json");
  expect(JSON.parse(stdout)).toMatchObject([
    { command: "quarantine discard", step: "started", runId: "gone", parameters: { events: 1, sequences: [2] } },
    { step: "ended", outcome: "1 kept events discarded", who: expect.stringContaining("@") },
    { step: "started", parameters: { run: "gone", events: 2, sequences: [1, 3] } },
    { step: "ended" },
  ]);
});

test("discard refuses what a run that can go on needs", async () => {
  const store = await keep("needed", [{ seq: 1 }]);
  const ledger = await Ledger.open(client, { create: true });
  await ledger?.createRun(runOf("needed", { state: "failed" }), planOf("needed"), []);
  const refused = await tool("quarantine", "discard", "--run", "needed", "--yes");
  expect(refused).toMatchObject({ status: 1, stdout: "" });
  expect(refused.stderr).toContain("cancel-replay --run needed");
  expect(await store.count("needed")).toBe(1);
});

test("replay-status --show-errors groups what was kept by reason, the most frequent first", async () => {
  await keep("groups", [
    { seq: 5, kind: "evolve", reason: "no node n1" },
    ...[7, 8, 9, 12].map((seq) => ({ seq, reason: `not JSON at position ${seq}`, data: Buffer.from("\u001b{") })),
  ]);
  const ledger = await Ledger.open(client, { create: true });
  await ledger?.createRun(runOf("groups", { state: "failed" }), planOf("groups"), []);
  const { status, stdout } = await tool("replay-status", "--run", "groups", "--show-errors");
  expect(status).toBe(0);
  expect(stdout).toContain("5 events in the quarantine, 2 reasons:");
  expect(stdout).toMatch(
    /4 × decode: not JSON at position 7\n {2}sequences 7–9, 12\n {2}e\.g\. 7 {2}events\.graph\.a\.X {2}\\u001b\{\n/,
  );
  expect(stdout.indexOf("4 × decode")).toBeLessThan(stdout.indexOf("1 × evolve: no node n1"));
  const json = await tool("replay-status", "--run", "groups", "--show-errors", "--format", "json");
  expect(JSON.parse(json.stdout)).toMatchObject({
    quarantine: [{ sequence: 5 }, { sequence: 7 }, { sequence: 8 }, { sequence: 9 }, { sequence: 12 }],
    quarantine_groups: [
      {
        count: 4,
        sequences: [
          { from: 7, to: 9 },
          { from: 12, to: 12 },
        ],
      },
      { count: 1 },
    ],
  });
});
