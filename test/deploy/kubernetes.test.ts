import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  dataOf,
  environmentOf,
  KUBERNETES,
  manifestsIn,
  named,
  render,
  workloadsIn,
} from "../support/kubernetes-manifests.ts";
import { mistakesIn } from "../support/kubernetes-schemas.ts";

/** Every folder that `kubectl apply -k` takes. */
const FOLDERS = readdirSync(KUBERNETES, { recursive: true, encoding: "utf8" })
  .filter((path) => /^(base|jobs\/[^/]+|overlays\/[^/]+)\/kustomization\.yaml$/.test(path))
  .map((path) => path.replace("/kustomization.yaml", ""))
  .sort();
const base = render("base");

const page = readFileSync(`${KUBERNETES}../../docs/kubernetes.md`, "utf8");

test("there are the folders that docs/kubernetes.md names, and it names all", () => {
  const named = [...page.matchAll(/deploy\/kubernetes\/([a-z]+(?:\/[a-z]+)?)\b/g)].map(([, folder]) => folder);
  expect([...new Set(named)].filter((folder) => !folder?.startsWith("components")).sort()).toEqual(FOLDERS);
});

describe("what the checks find", () => {
  const worker = () => structuredClone(named(base, "Deployment", "worker"));

  test("a field that the API does not know", () => {
    const spec = { ...z.looseObject({}).parse(worker().spec), terminationGracePeriod: 60 };
    expect(mistakesIn({ ...worker(), spec })).toEqual(["/spec/terminationGracePeriod: no such field"]);
  });

  test("a value of the wrong type", () => {
    const spec = { ...z.looseObject({}).parse(worker().spec), replicas: "two" };
    expect(mistakesIn({ ...worker(), spec }).join()).toContain("/spec/replicas");
  });

  test("a kind without a schema", () => {
    expect(mistakesIn({ ...worker(), kind: "Deploiment" })).toEqual(["no schema for apps/v1 Deploiment"]);
  });
});

const kubectl = spawnSync("kubectl", ["version", "--client"]).error === undefined;
if (!kubectl) console.warn("Overlays are rendered by the kustomize of the dependencies alone: there is no kubectl.");

describe.each(FOLDERS)("%s", (folder) => {
  const manifests = render(folder);
  const workloads = workloadsIn(manifests);
  /** Jobs are applied beside the base, and refer to what is there. */
  const around = folder.startsWith("jobs/") ? [...base, ...manifests] : manifests;

  test("is as the API's schemas want it", () => {
    expect(manifests).not.toEqual([]);
    const mistakes = manifests.flatMap((manifest) =>
      mistakesIn(manifest).map((mistake) => `${manifest.kind} ${manifest.metadata.name} ${mistake}`),
    );
    expect(mistakes).toEqual([]);
  });

  test("is all in one namespace, with no name twice", () => {
    const names = manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    expect(new Set(names).size).toBe(names.length);
    for (const { kind, metadata } of manifests) {
      expect(kind === "Namespace" ? metadata.name : metadata.namespace).toBe("cim-replay");
    }
  });

  test.runIf(kubectl)("is the same to kubectl", () => {
    const { stdout, stderr } = spawnSync("kubectl", ["kustomize", `${KUBERNETES}${folder}`], { encoding: "utf8" });
    expect(stderr).toBe("");
    expect(manifestsIn(stdout)).toEqual(manifests);
  });

  test("has workloads that may do nothing but their work", () => {
    expect(workloads).not.toEqual([]);
    for (const { pod, container } of workloads) {
      expect(pod.spec).toMatchObject({
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
      });
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      });
    }
  });

  test("has workloads whose accounts, volumes, mounts, probes and variables are there", () => {
    for (const { pod, container } of workloads) {
      named(around, "ServiceAccount", pod.spec.serviceAccountName);
      for (const { configMap, secret, persistentVolumeClaim: claim } of pod.spec.volumes) {
        if (configMap) named(around, "ConfigMap", configMap.name);
        if (secret) named(around, "Secret", secret.secretName);
        if (claim) named(around, "PersistentVolumeClaim", claim.claimName);
      }
      const volumes = pod.spec.volumes.map(({ name }) => name).sort();
      expect(container.volumeMounts.map(({ name }) => name).sort()).toEqual(volumes);
      const { startupProbe, livenessProbe, readinessProbe } = container;
      for (const probe of [startupProbe, livenessProbe, readinessProbe]) {
        if (probe) expect(container.ports.map(({ name }) => name)).toContain(probe.httpGet.port);
      }
      expect(environmentOf(container, around)).toHaveProperty("REDIS_URL");
    }
  });

  test("selects by labels that pods have", () => {
    const pods = workloadsIn(around).map(({ pod }) => pod.metadata.labels);
    const labels = z.record(z.string(), z.string());
    const withSelector = z.looseObject({
      spec: z.looseObject({ selector: z.union([z.object({ matchLabels: labels }), labels]) }),
    });
    const selecting = manifests.filter(({ kind }) => ["Deployment", "Service", "PodDisruptionBudget"].includes(kind));
    for (const manifest of selecting) {
      const { selector } = withSelector.parse(manifest).spec;
      const wanted =
        "matchLabels" in selector && typeof selector.matchLabels === "object" ? selector.matchLabels : selector;
      expect(pods, `${manifest.kind} ${manifest.metadata.name}`).toContainEqual(expect.objectContaining(wanted));
    }
  });
});

test("secrets hold placeholders alone", () => {
  const secrets = base.filter(({ kind }) => kind === "Secret");
  expect(secrets).toHaveLength(3);
  for (const secret of secrets) expect(Object.values(dataOf(secret)).join()).toContain("placeholder");
});

test("the overlay that docs/kubernetes.md shows changes image, addresses and password", () => {
  const [, example = ""] = /```yaml\n(# my-cluster.*?)```/s.exec(page) ?? [];
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "cim-replay-overlay-")));
  const reachable = relative(folder, `${KUBERNETES}base`);
  writeFileSync(join(folder, "kustomization.yaml"), example.replace("../deploy/kubernetes/base", reachable));
  const manifests = render(folder);
  expect(manifests.map(({ kind }) => kind)).toEqual(base.map(({ kind }) => kind));
  expect(manifests.flatMap(mistakesIn)).toEqual([]);
  for (const { container } of workloadsIn(manifests)) {
    expect(container.image).toBe("registry.example.com/cim-replay:0.1.0");
    expect(environmentOf(container, manifests)).toMatchObject({
      NATS_URL: "tls://nats.example.com:4222",
      NATS_CREDS: "/etc/cim-replay/nats/user.creds",
      REDIS_URL: "redis://:…@redis.example.com:6379",
    });
  }
});
