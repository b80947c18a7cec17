import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ensureBucket, type NatsClient, readEntries } from "@cim-replay/nats";
import { uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test, vi } from "vitest";
import { type CommandStage, openCommandStage } from "../command-stage.fixture.ts";
import { runTool, type ToolResult } from "../run-tool.fixture.ts";

const PROJECTION = `export default {
  name: "sums",
  initial: () => ({ sum: 0, tags: {} }),
  evolve(state, event) {
    if (event.payload.boom) throw new Error("boom");
    state.sum += event.payload.n;
    if (event.payload.tag) state.tags[event.payload.tag] = event.payload.n;
    return state;
  },
};\n`;

// Each test starts several commands, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 180_000 });

let stage: CommandStage;
let client: NatsClient;
let folder: string;
let target: string;

beforeAll(async () => {
  stage = await openCommandStage({ name: "moments", domains: ["shop", "depot"], projectionFile: "sums.ts" });
  ({ client, folder } = stage);
  writeFileSync(join(folder, "sums.ts"), PROJECTION);
  // Sequences 1 to 8; the days do not rise with them: sequence 5 is of the 2nd.
  await publish("shop", "a", 1, { n: 1, tag: "x" });
  await publish("shop", "b", 2, { n: 10 });
  await publish("depot", "d", 2, { n: 5 });
  await publish("shop", "a", 3, { n: 2, tag: "x" });
  await publish("shop", "a", 2, { n: 4, tag: "y" });
  await publish("shop", "late", 5, { n: 7 });
  await publish("depot", "late", 5, { n: 7 });
  await publish("shop", "bad", 1, { boom: true });
});
afterAll(() => stage[Symbol.asyncDispose]());
beforeEach(() => {
  target = uniqueName("MOMENT");
});

function publish(domain: string, id: string, day: number, payload: object) {
  const envelope = { aggregate_id: id, event_type: "Added", timestamp: `2026-01-0${day}T00:00:00Z`, payload };
  return client.js.publish(`events.${domain}.${id}.Added`, JSON.stringify(envelope));
}

function run(tool: string, ...args: readonly string[]): Promise<ToolResult> {
  const env = { NATS_URL: stage.natsUrl, REDIS_URL: inject("redisUrl") };
  return runTool(tool, args, { cwd: folder, env });
}

/** Of an RFC 3339 time with a fraction. */
function nanoBefore(time: string): string {
  const [second = "", fraction = ""] = time.replace("Z", "").split(".");
  return `${second}.${String(Number(fraction.padEnd(9, "0")) - 1).padStart(9, "0")}Z`;
}

describe("state-at", () => {
  const ask = (id: string, ...args: readonly string[]) =>
    run("state-at", "--domain", "shop", "--aggregate-id", id, ...args);
  const stateOf = async (...args: readonly string[]) => {
    const { status, stdout, stderr } = await ask("a", "--format", "json", ...args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    return JSON.parse(stdout);
  };

  test("is the fold of the events up to a sequence", async () => {
    expect(await stateOf("--seq", "3")).toMatchObject({ events: 1, state: { sum: 1, tags: { x: 1 } } });
    expect(await stateOf("--seq", "4")).toMatchObject({
      ...{ key: "shop.a", at: { seq: 4 }, events: 2, last_event: { seq: 4, type: "Added" }, undecodable: 0 },
      state: { sum: 3, tags: { x: 2 } },
    });
  });

  test("is by the events' own times, or by the server's receipt", async () => {
    const own = await stateOf("--time", "2026-01-02T00:00:00Z");
    expect(own).toMatchObject({ events: 2, last_event: { seq: 5 }, state: { sum: 5, tags: { x: 1, y: 4 } } });
    const received = await stateOf("--time", "2026-01-02T00:00:00Z", "--time-basis", "server");
    expect(received).toMatchObject({ events: 0, last_event: null, state: null });
    expect((await stateOf("--time", `${Date.now()}`, "--time-basis", "server")).state.sum).toBe(7);
  });

  test("by the server's receipt is exact to the nanosecond where the time is", async () => {
    const received = (await client.jsm.streams.getMessage("EVENTS", { seq: 4 }))?.timestamp ?? "";
    const server = ["--time-basis", "server"];
    expect((await stateOf("--time", received, ...server)).state.sum).toBe(3);
    expect((await stateOf("--time", nanoBefore(received), ...server)).state.sum).toBe(1);
    const first = (await client.jsm.streams.getMessage("EVENTS", { seq: 1 }))?.timestamp ?? "";
    expect((await stateOf("--time", nanoBefore(first), ...server)).state).toBeNull();
  });

  test("says what each event changed, newest last", async () => {
    expect((await stateOf("--seq", "5", "--history")).history).toMatchObject([
      { seq: 1, changes: [{ path: "(all)", after: { sum: 1, tags: { x: 1 } } }] },
      {
        seq: 4,
        changes: [
          { path: "sum", before: 1, after: 3 },
          { path: "tags.x", before: 1, after: 2 },
        ],
      },
      {
        seq: 5,
        changes: [
          { path: "sum", before: 3, after: 7 },
          { path: "tags.y", after: 4 },
        ],
      },
    ]);
    const { stdout } = await ask("a", "--seq", "4", "--history");
    expect(stdout).toContain("aggregate a of shop at sequence 4\n");
    expect(stdout).toMatch(/^ +4 {2}2026-01-03T00:00:00Z {2}Added {2}sum +1 +3$/m);
  });

  test("is nothing where the aggregate had not begun, and refused where it cannot be told", async () => {
    const { status, stdout } = await ask("late", "--seq", "5");
    expect(status).toBe(0);
    expect(stdout).toContain("No event of it up to then: it had not begun.");
    const bad = await ask("bad", "--seq", "8");
    expect(bad.status).toBe(1);
    expect(bad.stderr).toContain("event 8 cannot be taken by sums (boom). Ask for --seq 7");
    const unknown = await ask("nobody", "--seq", "5");
    expect(unknown.status).toBe(2);
    expect(unknown.stderr).toContain("EVENTS holds no event on events.shop.nobody");
    const beyond = await ask("a", "--seq", "99");
    expect(beyond.status).toBe(2);
    expect(beyond.stderr).toContain("EVENTS has sequences 1 to 8");
    expect((await ask("a")).stderr).toContain("no moment is given");
    expect((await ask("a", "--seq", "1", "--time", "2026-01-01")).status).toBe(2);
  });
});

describe("point-in-time-replay", () => {
  const replay = (...args: readonly string[]) =>
    run("point-in-time-replay", "--target", target, "--skip-errors", "1", ...args);
  const entries = async () => {
    const found: Record<string, unknown> = {};
    for await (const batch of readEntries(client, target, ">")) {
      for (const { key, value } of batch) found[key] = JSON.parse(Buffer.from(value).toString("utf8")).sum;
    }
    return found;
  };
  const put = (key: string, sum: number) => client.js.publish(`$KV.${target}.${key}`, JSON.stringify({ sum }));

  test("brings all domains to a moment in place, without what began later, and proves it", async () => {
    expect((await run("event-replay", "--domain", "shop", "--target", target, "--skip-errors", "1")).status).toBe(0);
    await put("shop.never", 1);
    expect(await entries()).toEqual({ "shop.a": 7, "shop.b": 10, "shop.late": 7, "shop.never": 1 });
    const at = ["--target-time", "2026-01-02T00:00:00Z", "--domains", "all", "--verify-checksums"];
    const { status, stdout, stderr } = await replay(...at, "--format", "json");
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ done: true, target, target_seq: null },
      domains: [
        { domain: "shop", run: { summary: { pruned: 2, certificate: { level: "full", holds: true } } } },
        { domain: "depot", run: { summary: { pruned: 0 } }, compared: { verdict: "holds" } },
      ],
    });
    expect(await entries()).toEqual({ "shop.a": 5, "shop.b": 10, "depot.d": 5 });
    const validated = ["validate-system-state", "--target", target, "--expected-time", "2026-01-02T00:00:00Z"] as const;
    expect((await run(...validated)).status).toBe(0);
    await put("depot.late", 7);
    expect((await run(...validated)).stdout).toContain("depot.late");
  });

  test("cuts at a sequence as well, touches no other domain, and tells of entries that nobody knows", async () => {
    const at = ["--target-time", "2026-01-09T00:00:00Z", "--target-seq", "4", "--verify-checksums"];
    const one = await replay(...at, "--domains", "shop");
    expect({ status: one.status, stderr: one.stderr }).toMatchObject({ status: 0 });
    expect(one.stdout).toMatch(/^shop +\S+ +completed +3 +2 +0 +holds +yes$/m);
    expect(one.stdout).toContain("The domain is the state at 2026-01-09T00:00:00Z");
    expect(await entries()).toEqual({ "shop.a": 3, "shop.b": 10 });
    await put("strange.s", 1);
    const all = await replay(...at);
    expect(all.stderr).toContain("also holds entries of strange, of which no stream holds an event");
    expect(await entries()).toEqual({ "shop.a": 3, "shop.b": 10, "depot.d": 5, "strange.s": 1 });
  });

  test("by the server's receipt is a prefix of each stream, exact to the nanosecond where the time is", async () => {
    const received = (await client.jsm.streams.getMessage("EVENTS", { seq: 4 }))?.timestamp ?? "";
    const to = (time: string) => replay("--target-time", time, "--time-basis", "server", "--verify-checksums");
    const with4 = await to(received);
    expect(with4, with4.stderr).toMatchObject({ status: 0 });
    expect(await entries()).toEqual({ "shop.a": 3, "shop.b": 10, "depot.d": 5 });
    const before4 = nanoBefore(received);
    const without4 = await to(before4);
    expect(without4, without4.stderr).toMatchObject({ status: 0 });
    expect(without4.stdout).toContain(`the state at ${before4} (by the server's receipt)`);
    expect(await entries()).toEqual({ "shop.a": 1, "shop.b": 10, "depot.d": 5 });
    const expected = ["--target", target, "--time-basis", "server", "--expected-time"];
    expect((await run("validate-system-state", ...expected, before4)).status).toBe(0);
    expect((await run("validate-system-state", ...expected, received)).status).toBe(1);
  });

  test("`all` is also what the stream holds and the settings do not describe", async () => {
    await publish("attic", "x", 2, { n: 1 });
    const done = await replay("--target-time", "2026-01-02", "--domains", "all");
    await client.jsm.streams.purge("EVENTS", { filter: "events.attic.>" });
    expect(done, done.stderr).toMatchObject({ status: 0 });
    expect(done.stdout).toMatch(/^attic +\S+ +completed +1 +1 /m);
  });

  test("`all` goes on past a domain that is described and has no event yet, and says so", async () => {
    const settings = join(folder, "with-an-empty-domain.yaml");
    const described = readFileSync(join(folder, "cim-replay.yaml"), "utf8");
    writeFileSync(settings, `${described}  empty: {projection: ./sums.ts}\n  elsewhere: {stream: NOWHERE}\n`);
    const done = await replay("--config", settings, "--target-time", "2026-01-02", "--domains", "all");
    expect(done, done.stderr).toMatchObject({ status: 0 });
    expect(done.stderr).toContain("No stream holds an event of empty, elsewhere: nothing is replayed there.");
    expect(Object.keys(await entries()).sort()).toEqual(["depot.d", "shop.a", "shop.b"]);
  });

  test("is not done where an entry stays whose aggregate's events were all skipped", async () => {
    await ensureBucket(client, target);
    await put("shop.bad", 1);
    const { status, stdout } = await replay("--target-time", "2026-01-02", "--certify", "none");
    expect(status).toBe(1);
    expect(stdout).toMatch(/^shop .* completed .* NO$/m);
    expect(stdout).toMatch(/^ {2}shop: 1 entries are not of run \S+ \(shop.bad\)/m);
    expect(await entries()).toEqual({ "shop.a": 5, "shop.b": 10, "shop.bad": 1, "depot.d": 5 });
  });

  test("exits with 1 where one domain is not done, and does the others", async () => {
    const { status, stdout } = await replay("--target-time", "2026-01-02", "--domains", "nowhere,depot");
    expect(status).toBe(1);
    expect(stdout).toMatch(/^nowhere +– +not begun .* NO$/m);
    expect(stdout).toMatch(/^depot .* yes$/m);
    expect(stdout).toContain("NOT the state at 2026-01-02T00:00:00Z");
    expect(await entries()).toEqual({ "depot.d": 5 });
    expect((await replay("--domains", "all")).status).toBe(2);
  });
});

describe("a stream whose first messages have expired", () => {
  const moment = "2026-01-02T00:00:00Z";
  const toMoment = (...args: readonly string[]) =>
    run("point-in-time-replay", "--target-time", moment, "--domains", "shop", "--target", target, ...args);
  const validate = () => run("validate-system-state", "--target", target, "--expected-time", moment);
  let wholeTarget: string;

  /** As limits by age take them: the first of `a` and the only one of `b`. */
  beforeAll(async () => {
    wholeTarget = uniqueName("MOMENT");
    const whole = await run("domain-replay", "--domain", "shop", "--target", wholeTarget, "--skip-errors", "1");
    expect(whole, whole.stderr).toMatchObject({ status: 0 });
    await client.jsm.streams.purge("EVENTS", { seq: 3 });
  });

  test("gives the state as far as it goes back, and every command says that it is no more than that", async () => {
    const { status, stdout, stderr } = await toMoment("--verify-checksums", "--skip-errors", "1");
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(stderr).toContain("warning: EVENTS begins at sequence 3: what came before is gone and cannot be replayed.");
    expect(stdout).toContain("That is as far as EVENTS goes back: it begins at sequence 3, and");
    const validated = await validate();
    expect(validated.stdout).toMatch(/^history +begins at sequence 3: what aggregates did before/m);
  });

  test("does not take from a bucket the entries whose events are gone, and is not done where there are such", async () => {
    target = wholeTarget;
    const { status, stdout } = await toMoment("--skip-errors", "1", "--format", "json");
    expect(status).toBe(1);
    const [shop] = JSON.parse(stdout).domains;
    expect(shop).toMatchObject({ done: false, history_since: 3, reason: expect.stringContaining("(shop.b)") });
    expect(shop.run.summary.findings).toContainEqual(expect.stringContaining("1 entries kept as they were"));
    expect(await client.jsm.streams.getMessage(`KV_${target}`, { last_by_subj: `$KV.${target}.shop.b` })).toMatchObject(
      {
        seq: expect.any(Number),
      },
    );
    const validated = await validate();
    expect({ status: validated.status, said: validated.stderr }).toMatchObject({ status: 1 });
    expect(validated.stdout).toContain("shop.b");
  });
});
