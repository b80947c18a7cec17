import { type RedisHandle, type ServerHandle, startNats, startRedis } from "@cim-replay/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LiveSystemd } from "../support/live-systemd.ts";
import { ReplayProcess } from "../support/replay-process.ts";
import { until } from "../support/until.ts";

const EVENTS = 40_000;
const WORKERS = ["cim-replay-worker@1", "cim-replay-worker@2"];

const whyNot = LiveSystemd.whyNot();
if (whyNot !== null) console.warn(`Units are not tried under a live systemd: ${whyNot}.`);

describe.runIf(whyNot === null)("under a systemd that is at work", () => {
  let systemd: LiveSystemd;
  let nats: ServerHandle;
  let redis: RedisHandle;

  beforeAll(async () => {
    [nats, redis] = await Promise.all([startNats(), startRedis()]);
    await ours("generate-events", "--domains", "graph", "--events", String(EVENTS), "--aggregates", "500");
    systemd = await LiveSystemd.start();
    await replayArgs("");
    await systemd.do(`systemctl start ${WORKERS.join(" ")}`);
  });
  afterAll(async () => {
    await Promise.allSettled([nats?.stop(), redis?.stop()]);
    await systemd?.stop();
  });

  async function ours(tool: string, ...args: string[]): Promise<string> {
    const env = { PATH: process.env.PATH ?? "", NATS_URL: nats.url, REDIS_URL: redis.url, NATS_CONTEXT: "none" };
    const run = new ReplayProcess(tool, args, { env, cwd: "/" });
    expect(await run.exited, run.said).toBe(0);
    return run.stdout;
  }

  const progress = async () =>
    JSON.parse(await ours("replay-progress", "--format", "json")) as {
      read_events?: number;
      processed_events?: number;
    };
  const runs = async () => JSON.parse(await ours("replay-list", "--format", "json")) as Record<string, unknown>[];

  async function replayArgs(args: string): Promise<void> {
    const lines = [
      `NATS_URL=${nats.url}`,
      `REDIS_URL=${redis.url}`,
      "CIM_REPLAY_LOCAL_WORKERS=0",
      `REPLAY_ARGS=${args}`,
    ];
    await systemd.do(`printf '%s\\n' ${lines.map((line) => `'${line}'`).join(" ")} > /etc/cim-replay/environment`);
  }

  const isOver = async (unit: string) => (await systemd.property(unit, "ActiveState")) !== "active";

  test("a run is stopped at a checkpoint, gone on with, and completed by workers, all as hardened as they are", async () => {
    await replayArgs("--domain graph --max-rate 5000 --no-backup-first");
    await systemd.do("systemctl start cim-replay");
    // Until it has begun, there is no run to ask about.
    await until(async () => ((await progress().catch(() => null))?.read_events ?? 0) > 5_000, "events to be read");
    await systemd.do("systemctl stop cim-replay");
    expect(await systemd.property("cim-replay", "ActiveState")).toBe("inactive");
    expect(await systemd.property("cim-replay", "Result")).toBe("success");
    expect(await runs()).toMatchObject([{ state: "paused" }]);
    expect((await progress()).processed_events).toBeGreaterThan(0);

    await replayArgs("--resume");
    await systemd.do("systemctl start cim-replay");
    await until(() => isOver("cim-replay"), "the run to end", 60_000);
    expect(await systemd.property("cim-replay", "Result")).toBe("success");
    expect(await runs()).toMatchObject([{ state: "completed", summary: { events: EVENTS } }]);
    await ours("verify-domain", "--domain", "graph");
  });

  test("a killed worker is started again, and a stopped one leaves in order", async () => {
    const [worker = ""] = WORKERS;
    const pid = await systemd.property(worker, "MainPID");
    await systemd.do(`kill -9 ${pid}`);
    await until(async () => (await systemd.property(worker, "NRestarts")) === "1", "another worker", 20_000);
    await until(async () => !(await isOver(worker)), "it to be at work", 20_000);
    await systemd.do(`systemctl stop ${WORKERS.join(" ")}`);
    for (const each of WORKERS) expect(await systemd.property(each, "Result")).toBe("success");
    expect(await systemd.do("systemctl list-units --failed --quiet --no-legend 'cim-replay*'")).toBe("");
  });
});
