import type { CpuProfile } from "@cim-replay/core";
import { selfTimes } from "./activity.ts";

export interface FlameBox {
  readonly depth: number;
  /** Shares of the whole, 0 to 1. */
  readonly from: number;
  readonly share: number;
  readonly name: string;
  readonly place: string;
  readonly ms: number;
}

interface Tree {
  readonly name: string;
  readonly place: string;
  ms: number;
  readonly children: Map<string, Tree>;
}

/** Narrower ones could not be seen, and would make the page large. */
const LEAST_SHARE = 0.001;
const DEEPEST = 60;

/** All workers' stacks in one, equal callers put together; idle time is left out. */
export function flameOf(profiles: readonly CpuProfile[]): FlameBox[] {
  const root: Tree = { name: "busy", place: "", ms: 0, children: new Map() };
  for (const profile of profiles) root.ms += addProfile(profile, root);
  const boxes: FlameBox[] = [];
  if (root.ms > 0) layOut(root, { depth: 0, from: 0, total: root.ms }, boxes);
  return boxes;
}

function addProfile(profile: CpuProfile, root: Tree): number {
  const selfMs = selfTimes(profile);
  const parents = new Map(
    profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)),
  );
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  let total = 0;
  for (const [leaf, ms] of selfMs) {
    const stack: CpuProfile["nodes"] = [];
    for (let id: number | undefined = leaf; id !== undefined; id = parents.get(id)) {
      const node = nodes.get(id);
      if (node) stack.push(node);
    }
    if (stack[0]?.callFrame.functionName === "(idle)") continue;
    total += ms;
    let at = root;
    // The outermost is the profile's own root.
    for (const { callFrame } of stack.reverse().slice(1, DEEPEST)) at = child(at, callFrame, ms);
  }
  return total;
}

function child(
  parent: Tree,
  { functionName, url, lineNumber }: CpuProfile["nodes"][number]["callFrame"],
  ms: number,
): Tree {
  const name = functionName === "" ? "(anonymous)" : functionName;
  const place = url === "" ? "" : `${shortUrl(url)}:${lineNumber + 1}`;
  const key = `${name} ${place}`;
  const known = parent.children.get(key) ?? { name, place, ms: 0, children: new Map() };
  known.ms += ms;
  parent.children.set(key, known);
  return known;
}

function layOut(tree: Tree, at: { depth: number; from: number; total: number }, boxes: FlameBox[]): void {
  const share = tree.ms / at.total;
  if (share < LEAST_SHARE) return;
  boxes.push({ depth: at.depth, from: at.from, share, name: tree.name, place: tree.place, ms: tree.ms });
  let from = at.from;
  for (const next of [...tree.children.values()].sort((a, b) => b.ms - a.ms)) {
    layOut(next, { depth: at.depth + 1, from, total: at.total }, boxes);
    from += next.ms / at.total;
  }
}

/** The last folders say which file it is; where it lies on the worker's machine says nothing. */
function shortUrl(url: string): string {
  return url.startsWith("node:") ? url : url.split("/").slice(-3).join("/");
}
