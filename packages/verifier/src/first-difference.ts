import { canonicalJson } from "@cim-replay/core";

export interface Difference {
  /** Names and positions from the root of the value; empty: the value itself. */
  readonly path: readonly (string | number)[];
  /** Canonical JSON; null where there is nothing. */
  readonly expected: string | null;
  readonly found: string | null;
}

/** The first place, in canonical order, at which two JSON values differ; null where they are the same. */
export function firstDifference(expected: unknown, found: unknown): Difference | null {
  return compare(expected, found, []);
}

/** What stands at a path; undefined where the value has no such place. */
export function valueAt(value: unknown, path: readonly (string | number)[]): unknown {
  let at = value;
  for (const step of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, step)) return undefined;
    at = (at as Readonly<Record<string | number, unknown>>)[step];
  }
  return at;
}

export function textOf(value: unknown): string | null {
  return value === undefined ? null : canonicalJson(value);
}

/** As `$.nodes["a b"][3]`. */
export function pathText(path: readonly (string | number)[]): string {
  const step = (name: string | number) =>
    typeof name === "number" ? `[${name}]` : /^[A-Za-z_]\w*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
  return `$${path.map(step).join("")}`;
}

function compare(expected: unknown, found: unknown, path: readonly (string | number)[]): Difference | null {
  if (Array.isArray(expected) && Array.isArray(found)) {
    return firstOf([...Array(Math.max(expected.length, found.length)).keys()], expected, found, path);
  }
  if (isObject(expected) && isObject(found)) {
    const names = [...new Set([...Object.keys(expected), ...Object.keys(found)])].sort();
    return firstOf(names, expected, found, path);
  }
  const texts = { expected: textOf(expected), found: textOf(found) };
  return texts.expected === texts.found ? null : { path, ...texts };
}

function firstOf(
  steps: readonly (string | number)[],
  expected: object,
  found: object,
  path: readonly (string | number)[],
): Difference | null {
  for (const step of steps) {
    const difference = compare(valueAt(expected, [step]), valueAt(found, [step]), [...path, step]);
    if (difference) return difference;
  }
  return null;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
