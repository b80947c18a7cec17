// One by one: the package's lists of all kinds take seconds to load.
import { ScaledObject } from "@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject";
import { TriggerAuthentication } from "@kubernetes-models/keda/keda.sh/v1alpha1/TriggerAuthentication";
import { Deployment } from "kubernetes-models/apps/v1/Deployment";
import { Job } from "kubernetes-models/batch/v1/Job";
import { NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1/NetworkPolicy";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1/PodDisruptionBudget";
import { ConfigMap } from "kubernetes-models/v1/ConfigMap";
import { Namespace } from "kubernetes-models/v1/Namespace";
import { PersistentVolumeClaim } from "kubernetes-models/v1/PersistentVolumeClaim";
import { Secret } from "kubernetes-models/v1/Secret";
import { Service } from "kubernetes-models/v1/Service";
import { ServiceAccount } from "kubernetes-models/v1/ServiceAccount";
import type { Manifest } from "./kubernetes-manifests.ts";

const KINDS = [
  ConfigMap,
  Deployment,
  Job,
  Namespace,
  NetworkPolicy,
  PersistentVolumeClaim,
  PodDisruptionBudget,
  ScaledObject,
  Secret,
  Service,
  ServiceAccount,
  TriggerAuthentication,
];

/** What the API's schema finds wrong with a manifest, fields that it does not know included; empty: nothing. */
export function mistakesIn(manifest: Manifest): string[] {
  const { apiVersion, kind } = manifest;
  const model = KINDS.find((known) => known.apiVersion === apiVersion && known.kind === kind);
  if (!model) return [`no schema for ${apiVersion} ${kind}`];
  const looked = new Set<string>();
  try {
    Reflect.apply(model.prototype.validate, watched(manifest, "", looked), []);
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
  return pathsOf(manifest)
    .filter((path) => !looked.has(path))
    .map((path) => `${path}: no such field`);
}

/**
 * The schemas let fields pass that they do not know, where the API server would drop or refuse them. But a validator only
 * looks at what it knows: whatever it has not looked at is unknown.
 */
function watched<T extends object>(value: T, path: string, looked: Set<string>): T {
  return new Proxy(value, {
    get(target, key) {
      const got: unknown = Reflect.get(target, key);
      if (typeof key !== "string" || !Object.hasOwn(target, key)) return got;
      const here = `${path}/${key}`;
      looked.add(here);
      return typeof got === "object" && got !== null ? watched(got, here, looked) : got;
    },
  });
}

function pathsOf(value: unknown, path = ""): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [`${path}/${key}`, ...pathsOf(inner, `${path}/${key}`)]);
}
