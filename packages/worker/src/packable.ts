import { ReplayError } from "@cim-replay/core";

const MAX_DEPTH = 200;

/** Throws where packing would give another state back: a class instance, a function, a symbol. Names the path. */
export function assertPackable(state: unknown, key: string): void {
  const found = findUnpackable(state, "state", 0);
  if (found === null) return;
  throw new ReplayError(
    `Cannot checkpoint the state of ${key}: ${found} would not come back as it is. ` +
      "Keep plain objects, arrays, Maps, Sets and scalars in the state, or run with --checkpoint-interval none.",
  );
}

function findUnpackable(value: unknown, path: string, depth: number): string | null {
  if (typeof value === "function" || typeof value === "symbol") return `${path} is a ${typeof value}, which`;
  if (typeof value !== "object" || value === null) return null;
  if (depth > MAX_DEPTH) return `${path} is nested deeper than ${MAX_DEPTH} levels and`;
  if (value instanceof Date || ArrayBuffer.isView(value)) return null;
  if (value instanceof Map || value instanceof Set) return findIn([...value].flat(), path, depth);
  if (Array.isArray(value)) return findIn(value, path, depth);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) return `${path} is a ${value.constructor.name}, which`;
  for (const [name, member] of Object.entries(value)) {
    const found = findUnpackable(member, `${path}.${name}`, depth + 1);
    if (found) return found;
  }
  return null;
}

function findIn(members: readonly unknown[], path: string, depth: number): string | null {
  for (const [index, member] of members.entries()) {
    const found = findUnpackable(member, `${path}[${index}]`, depth + 1);
    if (found) return found;
  }
  return null;
}
