import { z } from "zod";
import { parseJson } from "./parse-json.ts";
import type { Argv } from "./run-program.ts";
import { type Probe, type Service, unknown } from "./service.ts";

const expression = z.object({ key: z.string(), operator: z.string(), values: z.array(z.string()).default([]) });

const workloadSchema = z.object({
  spec: z.object({
    replicas: z.number().int().default(1),
    selector: z.object({
      matchLabels: z.record(z.string(), z.string()).default({}),
      matchExpressions: z.array(expression).default([]),
    }),
  }),
  status: z.object({ replicas: z.number().default(0), readyReplicas: z.number().default(0) }).prefault({}),
});
type Workload = z.infer<typeof workloadSchema>;

const podsSchema = z.object({
  items: z.array(z.object({ status: z.object({ phase: z.string().default("Unknown") }).prefault({}) })),
});

type Facts = Pick<Service, "name" | "timeoutMs" | "folder">;

export interface KubernetesTarget {
  /** `deployment/NAME` or `statefulset/NAME`. */
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly context: string | undefined;
}

/** A deployment or a stateful set: stopped by scaling it to nothing, started with as many replicas as it had. */
export function kubernetesService(facts: Facts, { resource, namespace, context }: KubernetesTarget): Service {
  const place = [
    ...(context === undefined ? [] : [`--context=${context}`]),
    ...(namespace === undefined ? [] : [`--namespace=${namespace}`]),
  ];
  const kubectl = (...args: string[]): Argv => ["kubectl", ...place, ...args];
  return {
    ...facts,
    kind: "kubernetes",
    target: [resource, ...(namespace ? [`in ${namespace}`] : []), ...(context ? [`of ${context}`] : [])].join(" "),
    async probe(run) {
      const ran = await run(kubectl("get", resource, "--output=json"));
      if (ran.status !== 0) return unknown(ran.trouble);
      const workload = workloadSchema.safeParse(parseJson(ran.stdout));
      if (!workload.success) return unknown("kubectl's answer is no deployment");
      if (workload.data.spec.replicas > 0) return scaledUp(workload.data);
      // A set's own count leaves out pods that are still ending, and those may still write.
      const selector = selectorOf(workload.data);
      const listed = await run(kubectl("get", "pods", `--selector=${selector}`, "--output=json"));
      if (listed.status !== 0) return unknown(listed.trouble);
      const pods = podsSchema.safeParse(parseJson(listed.stdout));
      if (!pods.success) return unknown("kubectl's answer is no list of pods");
      return scaledDown(pods.data.items.map(({ status }) => status.phase));
    },
    stopping: () => kubectl("scale", resource, "--replicas=0"),
    starting: (replicas) => kubectl("scale", resource, `--replicas=${replicas ?? 1}`),
  };
}

function scaledUp({ spec: { replicas }, status }: Workload): Probe {
  const detail = `${status.readyReplicas} of ${replicas} replicas ready`;
  return { state: status.readyReplicas >= replicas ? "running" : "starting", detail, replicas };
}

function scaledDown(phases: readonly string[]): Probe {
  const left = phases.filter((phase) => phase !== "Succeeded" && phase !== "Failed").length;
  if (left > 0) return { state: "stopping", detail: `0 replicas, ${left} pods still ending`, replicas: 0 };
  return { state: "stopped", detail: "0 replicas", replicas: 0 };
}

function selectorOf({ spec: { selector } }: Workload): string {
  const labels = Object.entries(selector.matchLabels).map(([key, value]) => `${key}=${value}`);
  return [...labels, ...selector.matchExpressions.map(expressionText)].join(",");
}

function expressionText({ key, operator, values }: z.infer<typeof expression>): string {
  if (operator === "Exists") return key;
  if (operator === "DoesNotExist") return `!${key}`;
  return `${key} ${operator.toLowerCase()} (${values.join(",")})`;
}
