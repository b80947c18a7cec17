import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { connectNats, Ledger, type NatsClient } from "@cim-replay/nats";
import { freePort, uniqueName } from "@cim-replay/testkit";
import { DockerComposeEnvironment, type StartedDockerComposeEnvironment } from "testcontainers";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { ComposeProject, say, whyNoEngine } from "../support/docker.ts";
import { until } from "../support/until.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const { version } = JSON.parse(readFileSync(new URL("../../packages/cli/package.json", import.meta.url), "utf8"));
const BUILD_MS = 8 * 60_000;
const UP_TO_VERIFIED_MS = 2 * 60_000;
const WORKERS = ["worker-1", "worker-2", "worker-3"];

test("the compose file names the image by the version of this checkout", () => {
  const text = readFileSync(new URL("../../docker-compose.yml", import.meta.url), "utf8");
  expect(text).toContain(`image: \${CIM_REPLAY_IMAGE:-cim-replay:${version}}\n`);
});

const noEngine = whyNoEngine();
if (noEngine !== null) console.warn(`Containers are not tried: ${noEngine}.`);

// Each step starts containers, on a machine that may be busy with other tests.
describe.runIf(noEngine === null)("docker compose", { timeout: 120_000 }, () => {
  const name = uniqueName("cim-replay-test").toLowerCase();
  const image = `${name}:test`;
  let project: ComposeProject;
  let up: StartedDockerComposeEnvironment;
  let client: NatsClient;
  let ledger: Ledger;
  let natsPort: number;
  let upMs: number;

  beforeAll(async () => {
    const ports = { NATS_PORT: await freePort(), REDIS_PORT: await freePort(), PROMETHEUS_PORT: await freePort() };
    natsPort = ports.NATS_PORT;
    const portEnv = Object.fromEntries(Object.entries(ports).map(([key, port]) => [key, String(port)]));
    project = new ComposeProject(name, { ...portEnv, CIM_REPLAY_IMAGE: image, REVISION: "c0ffee" });
    await say(".ci/base-images.sh", []);
    await project.compose("build", "worker");

    const begun = performance.now();
    up = await new DockerComposeEnvironment(root, "docker-compose.yml")
      .withProjectName(name)
      .withEnvironment({ ...project.env })
      .withClientOptions({ commandOptions: ["--scale", "worker=3", "--wait"] })
      // The project is removed by the test itself, however it ends: no helper container has to be pulled for that.
      .withAutoCleanup(false)
      .up();
    upMs = performance.now() - begun;
  }, BUILD_MS);

  afterAll(async () => {
    await client?.close();
    await project?.remove();
    await say("docker", ["image", "rm", "--force", image]);
  });

  const inspect = async (container: string, format: string): Promise<unknown> =>
    JSON.parse(await say("docker", ["inspect", "--format", `{{json ${format}}}`, `${name}-${container}`]));

  it("brings up servers, three workers and Prometheus, healthy, reachable from this machine only", async () => {
    for (const container of ["nats-1", "redis-1", "prometheus-1", ...WORKERS]) {
      expect(await inspect(container, ".State.Health.Status"), container).toBe("healthy");
      const bindings = JSON.stringify(await inspect(container, ".HostConfig.PortBindings"));
      expect([...bindings.matchAll(/"HostIp":"([^"]*)"/g)].filter(([, ip]) => ip !== "127.0.0.1")).toEqual([]);
    }
    expect(up.getContainer("nats-1").getMappedPort(4222)).toBe(natsPort);
  });

  it("gives no container more rights than it needs", async () => {
    for (const container of ["nats-1", "redis-1", "prometheus-1", ...WORKERS]) {
      expect(await inspect(container, ".HostConfig.ReadonlyRootfs"), container).toBe(true);
      expect(await inspect(container, ".HostConfig.CapDrop"), container).toEqual(["ALL"]);
      expect(await inspect(container, ".HostConfig.SecurityOpt"), container).toEqual(["no-new-privileges:true"]);
    }
    const { output } = await up.getContainer("worker-1").exec(["sh", "-c", "id -u; touch /app/x || true"]);
    expect(output).toMatch(/^1000$/m);
    expect(output).toMatch(/Read-only file system/);
  });

  it("replays with three workers although one is killed in mid-run, and the result is verified in time", async () => {
    const begun = performance.now();
    await project.tool("generate-events", "--events", "36000");
    client = await connectNats({ url: `nats://127.0.0.1:${natsPort}`, name });
    const opened = await Ledger.open(client, { create: true });
    if (opened === null) throw new Error("no ledger");
    ledger = opened;

    const pace = ["--parallel", "3", "--units", "3", "--max-rate", "1500", "--checkpoint-interval", "300"];
    const replay = project.startTool("domain-replay", "--domain", "graph", ...pace);
    const runId = await until(async () => (await ledger.listRuns())[0]?.id, replay.said);
    const units = async () => (await ledger.listUnits(runId)).map(({ record }) => record);
    const atWork = await until(async () => {
      const running = (await units()).filter(({ state }) => state === "running");
      return running.length === 3 && running.some(({ cursorSeq }) => cursorSeq > 0) && running;
    }, replay.said);
    expect(new Set(atWork.map(({ owner }) => owner)).size).toBe(3);

    // Workers are named by the host, which in a container is the beginning of its id, and by their process.
    const victim = atWork.find(({ cursorSeq }) => cursorSeq > 0);
    await say("docker", ["kill", victim?.owner?.split("-")[0] ?? "no owner"]);

    expect(await replay.exited, replay.said()).toBe(0);
    expect(replay.said()).toContain("certificate  holds");
    const ended = await units();
    expect(ended.map(({ state }) => state)).toEqual(["done", "done", "done"]);
    expect(ended.find(({ id }) => id === victim?.id)?.epoch, replay.said()).toBeGreaterThan(victim?.epoch ?? 0);

    await project.tool("verify-domain", "--domain", "graph");
    expect(upMs + performance.now() - begun).toBeLessThan(UP_TO_VERIFIED_MS);
  }, 180_000);

  it("lets Prometheus find the workers", async () => {
    const port = up.getContainer("prometheus-1").getMappedPort(9090);
    const scraped = await until(async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=up{job="cim-replay-worker"}==1`);
      const { data } = (await answer.json()) as { data: { result: unknown[] } };
      return data.result.length >= 2 && data.result;
    }, "two workers that are scraped");
    expect(scraped.length).toBeGreaterThanOrEqual(2);
  });

  it("ends a tool that listens to no signal as soon as it is stopped, although it is the first process", async () => {
    const published = async () => (await client.jsm.streams.info("EVENTS")).state.messages;
    const before = await published();
    const container = await project.compose("run", "--detach", "coordinator", "generate-events", "--events", "5000000");
    await until(async () => (await published()) > before, "the tool to publish");
    await say("docker", ["stop", container]);
    expect(await say("docker", ["inspect", "--format", "{{.State.ExitCode}}", container])).toBe("143");
    await say("docker", ["rm", container]);
  });

  it("passes on a tool's exit status, and a worker that is stopped leaves in order", async () => {
    const nobody = ["--nats-url", "nats://127.0.0.1:9"];
    await expect(project.tool("replay-list", ...nobody)).rejects.toMatchObject({ code: 3 });
    await expect(project.tool("domain-repaly")).rejects.toMatchObject({ code: 2 });
    await project.compose("stop", "worker");
    const statuses = await Promise.all(WORKERS.map((worker) => inspect(worker, ".State.ExitCode")));
    expect(statuses.sort()).toEqual([0, 0, 137]);
  });

  it("leaves nothing behind after down --volumes", async () => {
    await project.compose("down", "--volumes");
    for (const listing of [
      ["ps", "--all"],
      ["volume", "ls"],
      ["network", "ls"],
    ]) {
      expect(await project.left(...listing)).toEqual([]);
    }
  });

  it("has an image with every tool by its name, labels, and nothing of the build", async () => {
    const labels: unknown = JSON.parse(
      await say("docker", ["image", "inspect", "--format", "{{json .Config.Labels}}", image]),
    );
    expect(labels).toMatchObject({
      "org.opencontainers.image.title": "cim-replay",
      "org.opencontainers.image.version": version,
      "org.opencontainers.image.revision": "c0ffee",
      "org.opencontainers.image.licenses": "Apache-2.0",
    });
    const within = (command: string) =>
      say("docker", ["run", "--rm", "--read-only", "--network", "none", "--entrypoint", "sh", image, "-c", command]);
    expect(await within("verify-domain --version")).toContain(`${version} (build c0ffee`);
    expect(
      await within("find /app /src -name typescript -o -name vitest -o -name '*.test.*' 2>/dev/null || true"),
    ).toBe("");
  });
});
