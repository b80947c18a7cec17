import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectNats, ensureBucket, type NatsClient, RESTORE_MARK, setStreamMark } from "@cim-replay/nats";
import { startNats, uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { runTool, type ToolResult } from "../run-tool.fixture.ts";

const PROJECTION = `export default {
  name: "sums",
  initial: () => ({ sum: 0 }),
  evolve: (state, event) => ({ sum: state.sum + event.payload.n }),
};\n`;

let nats: Awaited<ReturnType<typeof startNats>>;
let client: NatsClient;
let folder: string;
let bucket: string;

beforeAll(async () => {
  nats = await startNats();
  client = await connectNats({ url: nats.url, name: "test" });
  folder = mkdtempSync(join(tmpdir(), "cim-replay-verify-"));
  writeFileSync(join(folder, "sums.ts"), PROJECTION);
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  writeFileSync(join(folder, "key.pem"), privateKey.export({ type: "pkcs8", format: "pem" }));
  writeFileSync(join(folder, "pub.pem"), publicKey.export({ type: "spki", format: "pem" }));
  await client.jsm.streams.add({ name: "EVENTS", subjects: ["events.>"] });
  for (const [i, id] of ["a", "b", "a"].entries()) {
    const timestamp = `2026-01-0${i + 1}T00:00:00Z`;
    const envelope = { event_id: `e${i}`, aggregate_id: id, event_type: "Added", timestamp, payload: { n: i + 1 } };
    await client.js.publish(`events.shop.${id}.Added`, JSON.stringify(envelope));
  }
});
afterAll(async () => {
  await client.close();
  await nats.stop();
  rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  bucket = uniqueName("VERIFY");
  await ensureBucket(client, bucket);
});

/** Entries as another tool than this one would have written them: without provenance. */
async function put(entries: Readonly<Record<string, string>>): Promise<void> {
  for (const [id, value] of Object.entries(entries)) await client.js.publish(`$KV.${bucket}.shop.${id}`, value);
}

function verify(tool: string, ...args: readonly string[]): Promise<ToolResult> {
  const flags = [...args, "--target", bucket, "--projection", "./sums.ts"];
  return runTool(tool, flags, { cwd: folder, env: { NATS_URL: nats.url } });
}

describe("a bucket that another tool wrote", () => {
  test("holds where every entry is what its events give", async () => {
    await put({ a: '{ "sum": 4 }', b: '{"sum":2}' });
    const { status, stdout, stderr } = await verify("verify-domain", "--domain", "shop");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toContain(`shop in ${bucket} holds at level full`);
    expect(stdout).toContain("values 2");
    expect(await verify("verify-aggregate", "--domain", "shop", "--aggregate-id", "a")).toMatchObject({ status: 0 });
    expect(await verify("verify-system-state")).toMatchObject({ status: 0, stderr: "shop: holds (level full)\n" });
  });

  test("does not where one is not: the key, the path, and both values are named, and the exit status is 1", async () => {
    await put({ a: '{"sum":5}', b: '{"sum":2}' });
    const { status, stdout } = await verify("verify-domain", "--domain", "shop");
    expect(status).toBe(1);
    expect(stdout).toContain("DOES NOT HOLD");
    expect(stdout).toMatch(/Entry shop\.a differs at \$\.sum: 4 was expected, 5 is found/);
    const json = await verify("verify-aggregate", "--domain", "shop", "--aggregate-id", "a", "--format", "json");
    expect(json.status).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({ verdict: "fails", aggregateId: "a", discrepancies: { total: 1 } });
    expect(await verify("verify-system-state")).toMatchObject({ status: 1 });
  });

  test("does not where it is empty, and says so once, with what makes the entries", async () => {
    const { status, stdout } = await verify("verify-domain", "--domain", "shop");
    expect(status).toBe(1);
    expect(stdout).toContain(`No entry of shop is in ${bucket}, and 2 are due`);
    expect(stdout).toContain(`domain-replay --domain shop --target ${bucket} makes them`);
    expect(stdout).not.toContain("shop.a");
    await put({ b: '{"sum":3}' });
    const half = await verify("verify-domain", "--domain", "shop");
    expect(half.stdout).toContain("found wrong (2: missing 1, value 1)");
    expect(half.stdout).toContain("The stream has 2 events for shop.a, and there is no entry.");
    expect(half.stdout).not.toContain("expected 2 events");
  });

  test("is held to a moment by validate-system-state", async () => {
    await put({ a: '{"sum":1}', b: '{"sum":2}' });
    const at = (time: string) => verify("validate-system-state", "--expected-time", time);
    expect(await at("2026-01-02T00:00:00Z")).toMatchObject({ status: 0 });
    expect(await at("2026-01-03T00:00:00Z")).toMatchObject({ status: 1 });
    const early = await at("2026-01-01T12:00:00Z");
    expect(early.status).toBe(1);
    expect(early.stdout).toContain("shop.b");
    expect((await verify("validate-system-state")).status).toBe(2);
  });

  test("is a wrong name where there is none: every command says so in the same words, with status 2", async () => {
    bucket = "NOWHERE";
    for (const args of [
      ["verify-domain", "--domain", "shop"],
      ["verify-aggregate", "--domain", "shop", "--aggregate-id", "a"],
      ["verify-system-state"],
      ["validate-system-state", "--expected-time", "2026-01-02T00:00:00Z"],
    ]) {
      const [tool = "", ...flags] = args;
      const { status, stdout, stderr } = await verify(tool, ...flags);
      expect({ tool, status, stdout }).toEqual({ tool, status: 2, stdout: "" });
      expect(stderr).toMatch(/^Cannot verify .*: there is no bucket NOWHERE\. Check its name.*\.\n$/);
    }
    const where = { cwd: folder, env: { NATS_URL: nats.url } };
    for (const [tool, ...flags] of [
      ["validate-domain", "--domain", "graph", "--target", "NOWHERE"],
      ["generate-checksums", "--domain", "shop", "--output", "sums.json", "--target", "NOWHERE"],
      ["diff-projections", "--left", "NOWHERE", "--right", "ALSO_NOWHERE"],
    ] as const) {
      const { status, stderr } = await runTool(tool, flags, where);
      expect({ tool, status }).toEqual({ tool, status: 2 });
      expect(stderr).toMatch(/^Cannot .*: there is no bucket NOWHERE\. Check its name.*\.\n$/);
    }
  });

  test("is said to be half restored, and so is the stream, by every command that reads them, with what finishes it", async () => {
    await put({ a: '{"sum":4}', b: '{"sum":2}' });
    const where = { cwd: folder, env: { NATS_URL: nats.url } };
    const sums = ["--domain", "shop", "--output", "sums.json", "--target", bucket];
    expect(await runTool("generate-checksums", sums, where)).toMatchObject({ status: 0, stderr: "" });
    const marks = { [`KV_${bucket}`]: "restore-projections --backup a.tar", EVENTS: "restore-events --backup e.tar" };
    const mark = async (isSet: boolean) => {
      for (const [stream, command] of Object.entries(marks)) {
        await setStreamMark(client, stream, RESTORE_MARK, isSet ? command : null);
      }
    };
    const ofBucket = `Bucket ${bucket} is half restored: a restore was begun and has not ended. Finish it with: ${marks[`KV_${bucket}`]}\n`;
    const ofStream = `Stream EVENTS is half restored: a restore was begun and has not ended. Finish it with: ${marks.EVENTS}\n`;
    const other = `${bucket}_OTHER`;
    await ensureBucket(client, other);
    await mark(true);
    onTestFinished(() => mark(false));
    for (const [tool, ...flags] of [
      ["verify-domain", "--domain", "shop"],
      ["verify-aggregate", "--domain", "shop", "--aggregate-id", "a"],
      ["verify-system-state"],
      ["validate-system-state", "--expected-time", "2026-01-03T00:00:00Z"],
    ] as const) {
      const { status, stderr } = await verify(tool, ...flags);
      expect({ tool, status }).toEqual({ tool, status: 0 });
      expect(stderr).toContain(ofBucket);
      expect(stderr).toContain(ofStream);
    }
    for (const [tool, ...flags] of [
      ["validate-domain", "--domain", "shop", "--target", bucket],
      ["generate-checksums", "--domain", "shop", "--output", "again.json", "--target", bucket],
      ["verify-checksums", "--domain", "shop", "--expected", "sums.json", "--target", bucket],
      ["diff-projections", "--left", bucket, "--right", other],
    ] as const) {
      expect({ tool, ...(await runTool(tool, flags, where)) }).toMatchObject({ tool, stderr: ofBucket });
    }
    const state = await runTool("state-at", ["--domain", "shop", "--aggregate-id", "a", "--seq", "3"], where);
    expect(state.stderr).toContain(ofStream);
  });

  test("is not verified under a name that nothing has", async () => {
    for (const args of [
      ["verify-domain", "--domain", "shpo"],
      ["verify-aggregate", "--domain", "shop", "--aggregate-id", "c"],
    ]) {
      const [tool = "", ...flags] = args;
      const { status, stdout, stderr } = await verify(tool, ...flags);
      expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
      expect(stderr).toMatch(/^Cannot verify .*Check the name\.\n$/);
    }
  });
});

describe("a certificate", () => {
  test("is written, signed, and checked; one that was edited or is another's is refused", async () => {
    await put({ a: '{"sum":4}', b: '{"sum":2}' });
    const file = join(folder, "certificate.json");
    const issued = await verify("verify-domain", "--domain", "shop", "--output", file, "--sign-key", "key.pem");
    expect(issued).toMatchObject({ status: 0, stderr: `The certificate is in ${file}.\n` });
    const check = (...args: readonly string[]) => runTool("verify-certificate", args, { cwd: folder, env: {} });
    const genuine = await check(file, "--public-key", "pub.pem");
    expect(genuine).toMatchObject({ status: 0, stderr: expect.stringContaining("The signature is genuine") });
    expect(genuine.stdout).toBe(issued.stdout);
    expect((await check(file)).status).toBe(2);
    expect((await check(file, "--public-key", "key-that-is-not-there.pem")).status).toBe(2);
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace('"values":2', '"values":3'));
    const edited = await check(file, "--public-key", "pub.pem");
    expect(edited).toMatchObject({ status: 1, stderr: expect.stringContaining("changed after it was signed") });
    writeFileSync(file, `${text} `.replace('"level":', '"level": '));
    expect(await check(file, "--public-key", "pub.pem")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("canonical"),
    });
  });
});
