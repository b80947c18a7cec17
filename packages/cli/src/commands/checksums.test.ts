import { hash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectNats, deleteEntry, EntryWriter, ensureBucket, type NatsClient } from "@cim-replay/nats";
import { startNats, uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { runTool as runAnyTool, type ToolResult } from "../run-tool.fixture.ts";

let nats: Awaited<ReturnType<typeof startNats>>;
let client: NatsClient;
let folder: string;
let bucket: string;

beforeAll(async () => {
  nats = await startNats();
  client = await connectNats({ url: nats.url, name: "test" });
  folder = mkdtempSync(join(tmpdir(), "cim-replay-checksums-"));
  await client.jsm.streams.add({ name: "EVENTS", subjects: ["events.>"] });
  for (const [i, event] of ["a Opened", "b Opened", "a Moved", "a Moved"].entries()) {
    const [id, type] = event.split(" ");
    const envelope = { event_id: `e${i}`, aggregate_id: id, event_type: type, timestamp: "2026-01-01T00:00:00Z" };
    await client.js.publish(`events.shop.${id}.${type}`, JSON.stringify({ ...envelope, payload: { n: i } }));
  }
});
afterAll(async () => {
  await client.close();
  await nats.stop();
  rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  bucket = uniqueName("CLI");
  await ensureBucket(client, bucket);
});

/** No Redis: none of these commands needs one. */
function runTool(tool: string, ...args: readonly string[]): Promise<ToolResult> {
  return runAnyTool(tool, args, { cwd: folder, env: { NATS_URL: nats.url, REDIS_URL: "redis://127.0.0.1:1" } });
}

async function put(into: string, key: string, value: string, events = 1, lastSeq = 1, revision = 0): Promise<void> {
  const writer = new EntryWriter(client, into);
  await writer.put(key, value, { run: "r", epoch: 1, lastSeq, events, sha256: hash("sha256", value) }, revision);
  expect(await writer.flush()).toEqual({ refused: [] });
}

describe("checksums", () => {
  test("are generated and verified; what differs is named and makes the exit status 1", async () => {
    for (const id of ["a", "b", "c"]) await put(bucket, `shop.${id}`, `{"id":"${id}"}`);
    const file = join(folder, "sums.json");
    const domain = ["--domain", "shop"];
    const made = await runTool("generate-checksums", ...domain, "--output", file, "--target", bucket);
    expect(made).toMatchObject({ status: 0, stderr: "" });
    expect(made.stdout).toContain(`3 of shop in bucket ${bucket}`);
    expect(readdirSync(folder)).toEqual(["sums.json"]);
    expect(await runTool("verify-checksums", ...domain, "--expected", file)).toMatchObject({ status: 0, stderr: "" });

    await put(bucket, "shop.b", "{}", 1, 1, 2);
    await deleteEntry(client, bucket, "shop.c", 3);
    await put(bucket, "shop.d", "{}");
    const text = await runTool("verify-checksums", ...domain, "--expected", file);
    expect(text).toMatchObject({ status: 1, stderr: "" });
    expect(text.stdout).toMatch(
      /altered \(1\)\n {2}shop\.b .*\n\nmissing \(1\)\n {2}shop\.c\n\nextra \(1\)\n {2}shop\.d\n$/,
    );
    const found = await runTool("verify-checksums", ...domain, "--expected", file, "--format", "json");
    expect(found.status).toBe(1);
    expect(JSON.parse(found.stdout)).toMatchObject({
      ...{ verdict: "different", bucket, missing: ["shop.c"], extra: ["shop.d"] },
      altered: [{ key: "shop.b", expected: hash("sha256", '{"id":"b"}'), found: hash("sha256", "{}") }],
    });
  });

  test("are refused where the file was edited, is another domain's, or cannot be written", async () => {
    await put(bucket, "shop.a", "1");
    const file = join(folder, "sums.json");
    await runTool("generate-checksums", "--domain", "shop", "--output", file, "--target", bucket);
    const other = await runTool("verify-checksums", "--domain", "person", "--expected", file);
    expect(other).toMatchObject({ status: 2, stdout: "" });
    expect(other.stderr).toContain("it is of domain shop, not of person");
    writeFileSync(file, readFileSync(file, "utf8").replace("6b86", "6b87"));
    const edited = await runTool("verify-checksums", "--domain", "shop", "--expected", file);
    expect(edited).toMatchObject({ status: 1, stdout: "" });
    expect(edited.stderr).toContain("its root does not fit its list");
    const path = join(folder, "none", "sums.json");
    const unwritable = await runTool("generate-checksums", "--domain", "shop", "--output", path, "--target", bucket);
    expect(unwritable).toMatchObject({ status: 2, stdout: "" });
    expect(existsSync(path)).toBe(false);
  });
});

describe("projected events", () => {
  test("are one number and nothing else, as a shell takes it, also behind a `--`", async () => {
    await put(bucket, "shop.a", "{}", 3, 4);
    await put(bucket, "shop.b", "{}", 12_345, 2);
    const counted = await runTool("count-projected-events", "--", "--domain", "shop", "--target", bucket);
    expect(counted).toEqual({ status: 0, stdout: "12348\n", stderr: "" });
    const none = await runTool("count-projected-events", "--domain", "none", "--target", bucket);
    expect(none).toMatchObject({ status: 0, stdout: "0\n" });
    expect(none.stderr).toContain("no entry of none");
  });

  test("are shown by aggregate and by type", async () => {
    await put(bucket, "shop.a", "{}", 3, 4);
    await put(bucket, "shop.b", "{}", 1, 2);
    const args = ["--domain", "shop", "--target", bucket];
    const byAggregate = await runTool("count-projected-events", ...args, "--by", "aggregate");
    expect(byAggregate).toEqual({ status: 0, stdout: "key     events\nshop.a       3\nshop.b       1\n", stderr: "" });
    const byType = await runTool("count-projected-events", ...args, "--by", "type", "--format", "json");
    expect(byType).toMatchObject({ status: 0, stderr: "" });
    expect(JSON.parse(byType.stdout)).toEqual({
      ...{ domain: "shop", bucket, entries: 2, events: 4 },
      types: [
        { type: "moved", spellings: ["Moved"], events: 2 },
        { type: "opened", spellings: ["Opened"], events: 2 },
      ],
    });
  });

  test("are an error where an entry does not say them, and where the flag is wrong", async () => {
    await client.js.publish(`$KV.${bucket}.shop.a`, "{}");
    const silent = await runTool("count-projected-events", "--domain", "shop", "--target", bucket);
    expect(silent).toMatchObject({ status: 1, stdout: "" });
    expect(silent.stderr).toContain("1 of its 1 entries");
    const wrong = await runTool("count-projected-events", "--domain", "shop", "--by", "colour");
    expect(wrong).toMatchObject({ status: 2, stdout: "" });
    expect(wrong.stderr).toContain("not one of aggregate, type");
  });
});

describe("two buckets", () => {
  test("are compared: 0 where they are the same, 1 and the places where not", async () => {
    const right = uniqueName("CLI");
    await ensureBucket(client, right);
    await put(bucket, "shop.a", '{"big":9007199254740993,"l":[1]}');
    await put(right, "shop.a", '{"big":9007199254740993,"l":[1]}');
    const args = ["--left", bucket, "--right", right];
    expect(await runTool("diff-projections", ...args)).toMatchObject({ status: 0, stderr: "" });
    await put(right, "shop.a", '{"big":9007199254740992,"l":["\\u001b[31m"]}', 1, 1, 1);
    await put(right, "person.a", "{}");
    const text = await runTool("diff-projections", ...args);
    expect(text).toMatchObject({ status: 1, stderr: "" });
    expect(text.stdout).toContain("shop.a  big   9007199254740993  9007199254740992");
    expect(text.stdout).toContain('l[0]  1                 "\\u001b[31m"');
    expect(text.stdout).toMatch(/added \(1\)\n {2}person\.a\n$/);
    const found = await runTool("diff-projections", ...args, "--domain", "shop", "--format", "json");
    expect(found.status).toBe(1);
    expect(found.stdout).toContain('"left": 9007199254740993,');
    expect(JSON.parse(found.stdout)).toMatchObject({
      ...{ verdict: "different", added: { total: 0 }, removed: { total: 0 } },
      changed: { total: 1, samples: [{ key: "shop.a", changes: [{ path: "big" }, { path: "l[0]" }] }] },
      paths: [
        { path: "big", places: 1 },
        { path: "l[*]", places: 1 },
      ],
    });
    expect(await runTool("diff-projections", "--left", bucket, "--right", bucket)).toMatchObject({ status: 2 });
  });
});

describe("a projection", () => {
  test("is checked: 0 where it is deterministic, 1 and what it asks where not", async () => {
    const pure = await runTool("check-determinism", "--domain", "shop", "--format", "json");
    expect(pure).toMatchObject({ status: 0, stderr: "" });
    expect(JSON.parse(pure.stdout)).toMatchObject({
      ...{ verdict: "deterministic", projection: { name: "aggregate", source: "builtin" } },
      ...{ aggregates: 2, events: 4, uses: [], differences: [] },
    });
    writeFileSync(
      join(folder, "clock.mjs"),
      `import { randomUUID } from "node:crypto";
       const stamp = () => new Date().getTime();
       export default { name: "clock", initial: () => ({ n: 0 }),
         evolve: (s, e) => (e.type === "Moved" ? { n: s.n + 1, at: stamp(), id: randomUUID() } : { n: s.n + 1 }) };`,
    );
    const clock = ["--domain", "shop", "--projection", "clock.mjs"];
    const [one, impure] = await Promise.all([
      runTool("check-determinism", ...clock, "--sample", "1"),
      runTool("check-determinism", ...clock),
    ]);
    // By their hashes the first is aggregate b, which never moved.
    expect(one).toMatchObject({ status: 0, stderr: "" });
    expect(one.stdout).toContain("1 event of 1 aggregate\n");
    expect(impure).toMatchObject({ status: 1, stderr: "" });
    expect(impure.stdout).toMatch(/NOT DETERMINISTIC/);
    expect(impure.stdout).toMatch(/new Date\(\) +evolve +Moved +3 +a +2\n/);
    const both = await runTool(
      "check-determinism",
      "--domain",
      "shop",
      "--projection",
      "clock.mjs",
      "--format",
      "json",
    );
    expect(both.status).toBe(1);
    const { uses, differences } = JSON.parse(both.stdout);
    const place = { step: "evolve", event_type: "Moved", sequence: 3, aggregate_id: "a", times: 2 };
    expect(uses).toEqual([
      { what: "new Date()", ...place },
      { what: "crypto.randomUUID()", ...place },
    ]);
    expect(differences).toContainEqual(
      expect.objectContaining({
        ...{ way: "by a clock ten years ahead", aggregate_id: "a", path: "at" },
        first_event: { sequence: 3, type: "Moved" },
      }),
    );
  });
});
