import type { Projection } from "@cim-replay/core";
import { aggregate } from "./aggregate.ts";
import { graph } from "./graph.ts";
import { workflow } from "./workflow.ts";

/** By name. */
export const builtinProjections: ReadonlyMap<string, Projection> = new Map<string, Projection>([
  ["graph", graph],
  ["workflow", workflow],
  ["aggregate", aggregate],
]);

/** The built-in that is meant for the domain, else `aggregate`. */
export function builtinFor(domain: string): Projection {
  for (const projection of builtinProjections.values()) {
    if (projection.domains?.includes(domain)) return projection;
  }
  return aggregate as Projection;
}
