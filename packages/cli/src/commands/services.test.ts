import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { StandIns } from "../services/stand-ins.fixture.ts";

const FILE = `services:
  - systemd: graph.service
    timeout: 6s
  - kubernetes: deployment/workflow
    namespace: cim
    timeout: 6s
  - compose: dashboard
    file: ./compose.yml
    timeout: 6s
  - name: importer
    timeout: 6s
    command:
      start: [sh, -c, 'echo running > "$0"', './importer state; touch injected']
      stop: { shell: 'rm "./importer state; touch injected"' }
      status: [test, -e, './importer state; touch injected']
`;

const importerFile = "importer state; touch injected";

/** All four kinds, all running. */
function everything(): StandIns {
  const standIns = new StandIns(FILE);
  standIns.set("graph.service", { active: "active" });
  standIns.set("workflow", { replicas: 3 });
  standIns.set("dashboard", { states: ["running", "running"] });
  writeFileSync(join(standIns.folder, importerFile), "");
  return standIns;
}

const STOPS = [
  "docker compose --file=./compose.yml stop dashboard",
  "kubectl --namespace=cim scale deployment/workflow --replicas=0",
  "systemctl stop graph.service",
];
const STARTS = [
  "systemctl start graph.service",
  "kubectl --namespace=cim scale deployment/workflow --replicas=3",
  "docker compose --file=./compose.yml start dashboard",
];

interface Row {
  readonly name: string;
  readonly state: string;
  readonly outcome: string;
  readonly remembered: { replicas: number | null } | null;
}

function rows(stdout: string): Row[] {
  return JSON.parse(stdout).services;
}

const told = (stdout: string) => rows(stdout).map(({ name, state, outcome }) => `${name} ${state}: ${outcome}`);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("the services around a replay", () => {
  test("are stopped last to first and started first to last, with as many replicas as they had", async () => {
    const standIns = everything();
    const stopped = await standIns.run("stop-all-services", "--format", "json");
    expect(stopped.status).toBe(0);
    expect(told(stopped.stdout)).toEqual([
      "importer stopped: stopped",
      "dashboard stopped: stopped",
      "workflow stopped: stopped",
      "graph.service stopped: stopped",
    ]);
    expect(standIns.changes()).toEqual(STOPS);
    expect(existsSync(join(standIns.folder, importerFile))).toBe(false);
    const started = await standIns.run("start-all-services", "--format", "json");
    expect(started.status).toBe(0);
    expect(standIns.changes()).toEqual([...STOPS, ...STARTS]);
    expect(rows(started.stdout).every(({ state, outcome }) => state === "running" && outcome === "started")).toBe(true);
    expect(existsSync(standIns.notesFile)).toBe(false);
    expect(existsSync(join(standIns.folder, "injected"))).toBe(false);
  });

  test("are the same after a second stop, and a second start", async () => {
    const standIns = everything();
    await standIns.run("stop-all-services");
    const again = await standIns.run("stop-all-services", "--format", "json");
    expect(again.status).toBe(0);
    expect(rows(again.stdout).map(({ outcome }) => outcome)).toEqual(Array(4).fill("left alone"));
    expect(standIns.changes()).toEqual(STOPS);
    const status = await standIns.run("service-status", "--format", "json");
    expect(rows(status.stdout).find(({ name }) => name === "workflow")?.remembered?.replicas).toBe(3);
    await standIns.run("start-all-services");
    const twice = await standIns.run("start-all-services");
    expect(twice.status).toBe(0);
    expect(standIns.changes()).toEqual([...STOPS, ...STARTS]);
  });

  test("that did not run before are not started", async () => {
    const standIns = everything();
    standIns.set("graph.service", { active: "inactive" });
    standIns.set("workflow", { replicas: 0 });
    standIns.set("dashboard", { states: ["exited"], asList: true });
    expect((await standIns.run("stop-all-services")).status).toBe(0);
    expect((await standIns.run("start-all-services")).status).toBe(0);
    expect(standIns.changes()).toEqual([]);
    expect(existsSync(join(standIns.folder, importerFile))).toBe(true);
  });

  test("are only looked at in a dry run", async () => {
    const standIns = everything();
    const stop = await standIns.run("stop-all-services", "--dry-run");
    expect(stop.status).toBe(0);
    expect(stop.stdout).toContain("would be stopped: kubectl --namespace=cim scale deployment/workflow --replicas=0");
    expect(existsSync(standIns.notesFile)).toBe(false);
    await standIns.run("stop-all-services");
    const start = await standIns.run("start-all-services", "--dry-run");
    expect(start.stdout).toContain("--replicas=3");
    expect(standIns.changes()).toEqual(STOPS);
    expect(existsSync(standIns.notesFile)).toBe(true);
  });

  test("have stopped only when their manager no longer says that they are ending", async () => {
    const standIns = everything();
    standIns.set("graph.service.trouble", { slowMs: 700 });
    standIns.set("workflow.trouble", { slowMs: 700 });
    const startedAt = performance.now();
    const stopped = await standIns.run("stop-all-services", "--format", "json");
    expect(performance.now() - startedAt).toBeGreaterThan(1_400);
    expect(stopped.status).toBe(0);
    expect(rows(stopped.stdout).every(({ state }) => state === "stopped")).toBe(true);
  });

  test("that do not end in time are said to be still ending, and the next stop waits again", async () => {
    const standIns = everything();
    standIns.set("workflow.trouble", { slowMs: 600_000 });
    const late = await standIns.run("stop-all-services", "--format", "json");
    expect(late.status).toBe(1);
    expect(told(late.stdout)).toContain("workflow stopping: failed");
    expect(told(late.stdout)).toContain("graph.service running: not tried");
    expect(late.stderr).toContain("it is not stopped after 6 s. It is stopping: 0 replicas, 1 pods still ending.");
    standIns.set("workflow.trouble", {});
    const again = await standIns.run("stop-all-services", "--format", "json");
    expect(again.status).toBe(0);
    expect(rows(again.stdout).find(({ name }) => name === "workflow")?.remembered?.replicas).toBe(3);
  });
});

describe("where one service cannot be stopped", () => {
  test("the outcome says what is in which state, and what to do", async () => {
    const standIns = everything();
    standIns.set("dashboard.trouble", { stop: { fail: "permission denied" } });
    const result = await standIns.run("stop-all-services");
    expect(result.status).toBe(1);
    expect(result.stderr).toContain("permission denied. It is running: running, running.");
    expect(result.stderr).toContain("Not tried: workflow, graph.service.");
    expect(result.stderr).toContain("run stop-all-services again: it is safe");
    expect(result.stdout).toMatch(/dashboard .*failed/);
  });

  test("the rest is stopped with --keep-going, and all that was stopped is started again", async () => {
    const standIns = everything();
    standIns.set("dashboard.trouble", { stop: { fail: "permission denied" } });
    const result = await standIns.run("stop-all-services", "--keep-going", "--format", "json");
    expect(result.status).toBe(1);
    expect(told(result.stdout)).toEqual([
      "importer stopped: stopped",
      "dashboard running: failed",
      "workflow stopped: stopped",
      "graph.service stopped: stopped",
    ]);
    const started = await standIns.run("start-all-services", "--format", "json");
    expect(started.status).toBe(0);
    expect(told(started.stdout)).toContain("dashboard running: left alone");
    expect(existsSync(standIns.notesFile)).toBe(false);
  });

  test("because its program hangs, the program is ended with all that it started", async () => {
    const standIns = everything();
    standIns.set("graph.service.trouble", { stop: { hang: true } });
    const result = await standIns.run("stop-all-services");
    expect(result.status).toBe(1);
    expect(result.stderr).toContain("systemctl did not end within 6 s. It is running");
    const grandchild = Number(standIns.get("graph.service.grandchild"));
    expect(grandchild).toBeGreaterThan(1);
    await expect.poll(() => isAlive(grandchild), { timeout: 5_000 }).toBe(false);
  });

  test("because nobody knows its state, it is not touched", async () => {
    const standIns = everything();
    standIns.set("graph.service.trouble", { show: { hang: true } });
    const status = await standIns.run("service-status", "--format", "json");
    expect(status.status).toBe(1);
    expect(told(status.stdout)).toContain("graph.service unknown: shown");
    const result = await standIns.run("stop-all-services");
    expect(result.status).toBe(1);
    expect(standIns.changes()).not.toContain("systemctl stop graph.service");
  });

  test("because there is no such unit, that is said", async () => {
    const standIns = new StandIns("services:\n  - systemd: none.service\n");
    const result = await standIns.run("stop-all-services");
    expect(result.status).toBe(1);
    expect(result.stderr).toContain("systemd knows no such unit");
  });
});

describe("a start that fails", () => {
  test("keeps what is to be started in mind", async () => {
    const standIns = everything();
    await standIns.run("stop-all-services");
    standIns.set("workflow.trouble", { scale: { fail: "forbidden" } });
    const failed = await standIns.run("start-all-services", "--format", "json");
    expect(failed.status).toBe(1);
    expect(told(failed.stdout)).toEqual([
      "graph.service running: started",
      "workflow stopped: failed",
      "dashboard stopped: not tried",
      "importer stopped: not tried",
    ]);
    standIns.set("workflow.trouble", {});
    expect((await standIns.run("start-all-services")).status).toBe(0);
    expect(standIns.get("workflow")).toMatchObject({ replicas: 3 });
  });
});

describe("the settings file", () => {
  test("without services gets an example, and status 2", async () => {
    const result = await new StandIns("batch-size: 5\n").run("stop-all-services");
    expect(result.status).toBe(2);
    expect(result.stderr).toMatch(/^Cannot tell what the services are: .*cim-replay\.yaml has no section `services`/);
    expect(result.stderr).toContain("  - kubernetes: deployment/cim-workflow");
  });

  test("has all its mistakes told by path", async () => {
    const standIns = new StandIns(`services:
  - systemd: --force
  - kubernetes: a
    compose: b
  - compose: ok
    namespace: cim
  - command: { start: [a], stop: "rm -rf", status: [] }
  - compose: ok
    tiemout: 3s
`);
    const result = await standIns.run("service-status");
    expect(result.status).toBe(2);
    expect(result.stderr).toContain("cim-replay.yaml:2 services.0.systemd: is not a unit's name");
    expect(result.stderr).toContain("cim-replay.yaml:7 services.3.command.stop: is neither a list of words");
    expect(result.stderr).toContain("cim-replay.yaml:7 services.3.command.status: ");
    expect(result.stderr).toContain("cim-replay.yaml:9 services.4.tiemout: no such setting (did you mean timeout?)");
    const rules = new StandIns(
      "services:\n  - kubernetes: a\n    compose: b\n  - compose: ok\n    namespace: cim\n  - {}\n",
    );
    const { stderr } = await rules.run("service-status");
    expect(stderr).toContain("services.0: has kubernetes and compose where it needs one of");
    expect(stderr).toContain("cim-replay.yaml:5 services.1.namespace: belongs to kubernetes, not to compose");
    expect(stderr).toContain("services.2: has none where it needs one of");
    const twice = await new StandIns("services:\n  - compose: ok\n  - compose: ok\n").run("service-status");
    expect(twice.stderr).toContain("cim-replay.yaml:3 services.1: ok is there twice");
  });

  test("may lie where nothing can be written if --state-file says where else", async () => {
    const standIns = everything();
    const nowhere = join(standIns.folder, "none", "state.json");
    const refused = await standIns.run("stop-all-services", "--state-file", nowhere);
    expect(refused.status).toBe(2);
    expect(standIns.changes()).toEqual([]);
    const elsewhere = join(standIns.folder, "elsewhere.json");
    expect((await standIns.run("stop-all-services", "--state-file", elsewhere)).status).toBe(0);
    expect(JSON.parse(readFileSync(elsewhere, "utf8")).stopped.workflow.replicas).toBe(3);
    writeFileSync(elsewhere, "{}");
    const damaged = await standIns.run("start-all-services", "--state-file", elsewhere);
    expect(damaged.status).toBe(2);
    expect(damaged.stderr).toContain("does not hold what stop-all-services remembers");
  });
});
