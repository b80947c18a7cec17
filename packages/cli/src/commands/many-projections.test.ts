import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type NatsClient, QuarantineStore, readEntries } from "@cim-replay/nats";
import { generateSigningKeys } from "@cim-replay/verifier";
import { uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { type CommandStage, openCommandStage } from "../command-stage.fixture.ts";
import { runTool, type ToolResult } from "../run-tool.fixture.ts";

/** Both notice every event; `refused` is a payload that the one cannot take. */
const projection = (name: string, step: string, refused = "") => `export default {
  name: "${name}",
  initial: () => ({ value: "" }),
  evolve(state, event) {
    if (event.payload === "${refused}") throw new Error("${name} cannot take " + event.payload);
    state.value = ${step};
    return state;
  },
};\n`;
const first = projection("first", "state.value || event.payload");
const last = (refused = "") => projection("last", "event.payload", refused);

let stage: CommandStage;
let client: NatsClient;
let folder: string;
let buckets: [string, string];

beforeAll(async () => {
  stage = await openCommandStage({ name: "many", domains: ["shop"], projectionFile: "first.mjs" });
  ({ client, folder } = stage);
  for (const [id, payload] of ["a1", "b1", "c1", "aX", "b2", "a2", "c2"].map((text) => [text[0], text])) {
    const envelope = { aggregate_id: id, event_type: "Added", timestamp: "2026-01-01T00:00:00Z", payload };
    await client.js.publish(`events.shop.${id}.Added`, JSON.stringify(envelope));
  }
});
afterAll(() => stage[Symbol.asyncDispose]());
beforeEach(() => {
  buckets = [uniqueName("FIRST"), uniqueName("LAST")];
  writeFileSync(join(folder, "first.mjs"), first);
  writeFileSync(join(folder, "last.mjs"), last());
});

function run(tool: string, ...args: readonly string[]): Promise<ToolResult> {
  const env = {
    NATS_URL: stage.natsUrl,
    REDIS_URL: inject("redisUrl"),
    CIM_REPLAY_BACKUP_DIR: join(folder, "backups"),
  };
  return runTool(tool, args, { cwd: folder, env });
}

const both = () => ["--projection", `./first.mjs=${buckets[0]}`, "--projection", `./last.mjs=${buckets[1]}`];
const replay = (...args: readonly string[]) => run("domain-replay", "--domain", "shop", ...both(), ...args);

async function values(bucket: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const batch of readEntries(client, bucket, "shop.>")) {
    for (const { key, value } of batch) found[key] = JSON.parse(Buffer.from(value).toString()).value;
  }
  return found;
}

const OF_FIRST = { "shop.a": "a1", "shop.b": "b1", "shop.c": "c1" };
const OF_LAST = { "shop.a": "a2", "shop.b": "b2", "shop.c": "c2" };

// Each is several processes, one after another.
describe("event-replay with two projections", { timeout: 60_000 }, () => {
  test("shows what each would write, then writes it, and says where to look and how to prove it", async () => {
    const plan = await replay("--dry-run");
    expect(plan).toMatchObject({ status: 0 });
    for (const [bucket, name] of [
      [buckets[0], "first"],
      [buckets[1], "last"],
    ]) {
      expect(plan.stdout).toContain(`up to 3 keys shop.* in bucket ${bucket}, at least about`);
      expect(plan.stdout).toMatch(new RegExp(`projection +${name} \\(file`));
    }
    expect(plan.stdout).toContain("Nothing was written.");
    const { status, stdout } = await replay();
    expect(status).toBe(0);
    expect(await values(buckets[0])).toEqual(OF_FIRST);
    expect(await values(buckets[1])).toEqual(OF_LAST);
    for (const [bucket, name] of [
      [buckets[0], "first"],
      [buckets[1], "last"],
    ]) {
      expect(stdout).toContain(`3 written, 0 unchanged, in bucket ${bucket} by ${name}`);
      expect(stdout).toContain(`Prove it: verify-domain --domain shop --target ${bucket}`);
    }
    const list = await run("replay-list");
    expect(list.stdout).toContain(`${buckets[0]}, ${buckets[1]}`);
    const shown = await run("replay-status", "--format", "json");
    expect(JSON.parse(shown.stdout)).toMatchObject({ target: buckets[0], targets: [{}, { target: buckets[1] }] });
  });

  test("is proved target by target, and as a whole by a signed certificate", async () => {
    const { stdout } = await replay("--certify", "full", "--format", "json");
    const ended = JSON.parse(stdout);
    expect(ended).toMatchObject({ state: "completed", summary: { certificate: { holds: true, level: "full" } } });
    expect(ended.targets).toMatchObject([
      { target: buckets[0], projection: "first", summary: { entries_written: 3 } },
      { target: buckets[1], projection: "last", summary: { entries_written: 3 } },
    ]);
    for (const bucket of buckets) {
      expect((await run("verify-domain", "--domain", "shop", "--target", bucket)).status).toBe(0);
    }
    const keys = generateSigningKeys();
    writeFileSync(join(folder, "key.pem"), keys.privateKeyPem);
    writeFileSync(join(folder, "public.pem"), keys.publicKeyPem);
    const signing = ["--run", ended.run_id, "--level", "full", "--output", "both.json", "--sign-key", "key.pem"];
    const certified = await run("certify", ...signing);
    expect(certified).toMatchObject({ status: 0 });
    for (const bucket of buckets) expect(certified.stdout).toContain(`shop in ${bucket} holds at level full`);
    expect((await run("verify-certificate", "both.json", "--public-key", "public.pem")).status).toBe(0);
    const text = readFileSync(join(folder, "both.json"), "utf8");
    // In the part of the second target.
    const at = text.indexOf('"entries":3', text.indexOf('"otherTargets"'));
    writeFileSync(join(folder, "forged.json"), `${text.slice(0, at)}"entries":4${text.slice(at + 11)}`);
    const forged = await run("verify-certificate", "forged.json", "--public-key", "public.pem");
    expect(forged.status).toBe(1);
    expect(forged.stderr).toContain("it was changed after it was signed");
    // As JSON too, what verified the second bucket alone is a certificate of that one.
    await client.js.publish(`$KV.${buckets[1]}.shop.b`, '{"value":"b9"}');
    const failed = await run("certify", "--run", ended.run_id, "--level", "full");
    expect(failed.status).toBe(1);
    expect(failed.stdout).toContain(`shop in ${buckets[0]} holds at level full`);
    expect(failed.stdout).toContain(`shop in ${buckets[1]} DOES NOT HOLD at level full`);
    expect((await run("verify-domain", "--domain", "shop", "--target", buckets[0])).status).toBe(0);
    expect((await run("verify-domain", "--domain", "shop", "--target", buckets[1])).status).toBe(1);
  });

  test("keeps what each target held, and prints how to bring each back", async () => {
    for (const bucket of buckets) {
      await client.jsm.streams.add({
        name: `KV_${bucket}`,
        subjects: [`$KV.${bucket}.>`],
        allow_direct: true,
        max_msgs_per_subject: 1,
      });
      await client.js.publish(`$KV.${bucket}.shop.a`, `{"value":"old of ${bucket}"}`);
    }
    const { stdout } = await replay();
    const undo = [...stdout.matchAll(/Undo it: (restore-projections .+)$/gm)].map(([, command = ""]) => command);
    expect(undo).toHaveLength(2);
    expect(
      readdirSync(join(folder, "backups")).filter((name) => buckets.some((bucket) => name.startsWith(bucket))),
    ).toHaveLength(2);
    const [tool = "", ...args] = undo[1]?.split(" ") ?? [];
    expect(await run(tool, ...args)).toMatchObject({ status: 0 });
    expect(await values(buckets[1])).toEqual({ "shop.a": `old of ${buckets[1]}` });
    expect(await values(buckets[0])).toEqual(OF_FIRST);
  });

  test("says which projection refused an event, and a retry mends that target alone", async () => {
    writeFileSync(join(folder, "last.mjs"), last("aX"));
    const failed = await replay("--format", "json");
    expect(failed.status).toBe(1);
    const { run_id: id, reason } = JSON.parse(failed.stdout);
    expect(reason).toContain(`last into ${buckets[1]}: 1 events cannot be taken`);
    expect(await values(buckets[0])).toEqual(OF_FIRST);
    expect(await values(buckets[1])).toEqual({ "shop.b": "b2", "shop.c": "c2" });
    const errors = await run("replay-status", "--run", id, "--show-errors");
    expect(errors.stdout).toContain(`evolve (last into ${buckets[1]}): last cannot take aX`);
    const listed = await run("quarantine", "list", "--run", id);
    expect(listed.stdout).toContain(`last into ${buckets[1]}`);
    const shown = await run("quarantine", "show", "4", "--run", id, "--format", "json");
    expect(JSON.parse(shown.stdout)).toMatchObject([{ projection: "last", target: buckets[1], sequence: 4 }]);
    await run("cancel-replay", "--run", id);
    writeFileSync(join(folder, "last.mjs"), last());
    const retried = await run("quarantine", "retry", "--run", id, "--format", "json");
    expect(JSON.parse(retried.stdout)).toMatchObject([{ aggregate_id: "a", target: buckets[1], reason: null }]);
    expect(await values(buckets[1])).toEqual(OF_LAST);
    const store = await QuarantineStore.open(client, { create: false });
    expect(await store?.places(id)).toMatchObject([{ seq: 4, target: buckets[1] }]);
  });

  test("is set in the settings file, where each command takes the projection of its bucket", async () => {
    const settings = readFileSync(join(folder, "cim-replay.yaml"), "utf8");
    const [of, to] = buckets;
    const described = settings.replace("./first.mjs", `[./first.mjs=${of}, ./last.mjs=${to}]`);
    writeFileSync(join(folder, "several.yaml"), described);
    const config = ["--domain", "shop", "--config", "several.yaml"];
    expect((await run("event-replay", ...config)).status).toBe(0);
    expect([await values(of), await values(to)]).toEqual([OF_FIRST, OF_LAST]);
    await client.js.publish(`$KV.${to}.shop.stranger`, "{}");
    const moment = ["--config", "several.yaml", "--domains", "shop", "--target-time", "2026-02-01", "--target"];
    const back = await run("point-in-time-replay", ...moment, to, "--verify-checksums");
    expect(back).toMatchObject({ status: 0 });
    expect(await values(to)).toEqual(OF_LAST);
    const elsewhere = await run("point-in-time-replay", ...moment, "OTHER");
    expect(elsewhere).toMatchObject({ status: 1 });
    expect(elsewhere.stderr).toContain("its projections are written elsewhere");
    const unclear = await run("check-determinism", ...config);
    expect(unclear).toMatchObject({ status: 2 });
    expect(unclear.stderr).toContain("Name one with --projection");
  });

  test("is refused where two would be written to one bucket", async () => {
    const twice = await run(
      "event-replay",
      "--domain",
      "shop",
      "--projection",
      "./first.mjs",
      "--projection",
      "./last.mjs",
    );
    expect(twice).toMatchObject({ status: 2, stdout: "" });
    expect(twice.stderr).toContain(
      "Write each with its bucket: --projection ./first.mjs=CIM_A --projection ./last.mjs=CIM_B",
    );
  });
});
