import { consumeUnits, QUEUE_DEFAULTS, UnitQueue } from "@cim-replay/queue";
import { startRedis } from "@cim-replay/testkit";
import { expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { askRedis } from "../support/ask-redis.ts";
import { dataOf, environmentOf, named, render, workloadsIn } from "../support/kubernetes-manifests.ts";
import { readQuery } from "../support/promql.ts";
import { until } from "../support/until.ts";

const scaledObjectSchema = z.looseObject({
  spec: z.looseObject({
    scaleTargetRef: z.object({ name: z.string() }),
    advanced: z.looseObject({ scalingModifiers: z.looseObject({ formula: z.string(), target: z.string() }) }),
    triggers: z.array(
      z.object({
        type: z.string(),
        name: z.string(),
        metadata: z.record(z.string(), z.string()),
        authenticationRef: z.object({ name: z.string() }).optional(),
      }),
    ),
  }),
});

const manifests = render("overlays/production");
const { spec } = scaledObjectSchema.parse(named(manifests, "ScaledObject", "worker"));
const metadataOf = (name: string) => spec.triggers.find((trigger) => trigger.name === name)?.metadata ?? {};
/** The language of KEDA's formulas agrees with JavaScript's on comparisons, sums and choices. */
const workersFor: (lag: number, active: number, waiting: number) => number = Object.assign(
  new Function("lag", "active", "waiting", `return ${spec.advanced.scalingModifiers.formula}`),
);

test("the lists that KEDA looks at are those in which the queue keeps what waits and what is at work", async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const settings: unknown = parse(
    dataOf(named(manifests, "ConfigMap", "cim-replay-settings"))["cim-replay.yaml"] ?? "",
  );
  const prefix = z.looseObject({ "queue-prefix": z.string() }).parse(settings)["queue-prefix"];
  const options = { ...QUEUE_DEFAULTS, redisUrl: redis.url, prefix };
  const queue = await UnitQueue.open(options);
  onTestFinished(() => queue.close());
  const [waiting, active] = ["waiting", "active"].map((name) => metadataOf(name).listName ?? "");

  for (const unit of ["u0", "u1", "u2"]) await queue.enqueue({ runId: "r", unit, dispatch: 0 });
  expect(await askRedis(redis.url, `LLEN ${waiting}`)).toBe(":3");

  const gate = Promise.withResolvers<void>();
  const handle = () => gate.promise;
  const worker = consumeUnits(options, { workerId: "w", concurrency: 1, handle, onError() {} });
  onTestFinished(async () => {
    gate.resolve();
    await worker.close();
  });
  await until(async () => (await askRedis(redis.url, `LLEN ${active}`)) === ":1", `one in ${active}`);
  expect(await askRedis(redis.url, `LLEN ${waiting}`)).toBe(":2");
});

test("KEDA scales the workers by an address, a password and a target that they have", () => {
  const [worker] = workloadsIn(manifests).filter(({ name }) => name === spec.scaleTargetRef.name);
  if (!worker) throw new Error("no worker");
  const environment = environmentOf(worker.container, manifests);
  for (const { type, metadata, authenticationRef } of spec.triggers.filter((trigger) => trigger.type === "redis")) {
    expect(environment, type).toHaveProperty([metadata.addressFromEnv ?? "none"]);
    const authentication = named(manifests, "TriggerAuthentication", authenticationRef?.name ?? "none");
    const [{ name, key }] = z
      .looseObject({
        spec: z.object({ secretTargetRef: z.tuple([z.looseObject({ name: z.string(), key: z.string() })]) }),
      })
      .parse(authentication).spec.secretTargetRef;
    expect(dataOf(named(manifests, "Secret", name))).toHaveProperty([key]);
  }
  expect(spec.advanced.scalingModifiers.target).toBe(environment.CIM_REPLAY_CONCURRENCY ?? "1");
  expect(named(manifests, "Deployment", "worker").spec).not.toHaveProperty("replicas");
});

test("KEDA asks Prometheus for the lag, and takes none for a long one", () => {
  const { query = "" } = metadataOf("lag");
  expect(readQuery(query).selectors).toEqual([{ metric: "cim_replay_lag_seconds", matchers: [] }]);
  expect(query).toMatch(/ or vector\((\d{4,})\)$/);
});

test("there are workers for what is at work, for what waits while the run is behind, and one where there is none", () => {
  expect(workersFor(86_400, 0, 0)).toBe(0);
  expect(workersFor(0, 0, 0)).toBe(0);
  expect(workersFor(86_400, 0, 8)).toBe(8);
  expect(workersFor(300, 3, 5)).toBe(8);
  expect(workersFor(20, 3, 5)).toBe(3);
  expect(workersFor(20, 0, 5)).toBe(1);
});
