import { ReplayError } from "./errors.ts";

/** Containers inside containers, at most. */
export const MAX_JSON_DEPTH = 1_000;

/** Where a container stands in the value that is being written; the root has none. */
interface Place {
  readonly parent: Place | null;
  readonly key: string | number;
}

/** The order of a set of keys, worked out once for objects that look alike. `prefixes[i]` is `"key":` of `sorted[i]`. */
interface KeyOrder {
  readonly keys: readonly string[];
  readonly sorted: readonly string[];
  readonly prefixes: readonly string[];
}

/** Deep values would be looked through once for each level above them. */
const NATIVE_LEVELS = 2;
const MAX_REMEMBERED_KEYS = 32;
/** The latest key order of each number of keys: the values of one projection repeat a few shapes endlessly. */
const rememberedOrders: KeyOrder[] = [];

/** Anything but printable ASCII without `"` and `\`, and what lies beyond it without surrogates. */
const NEEDS_ESCAPE = /[^ !#-[\]-\ud7ff\ue000-\uffff]/;

/**
 * The one JSON text of a value (RFC 8785): keys sorted by UTF-16 code units, ECMAScript's numbers, no white space.
 *
 * As with JSON.stringify, properties that are undefined are left out, `toJSON` is obeyed, and half a surrogate pair is
 * written as its escape. A BigInt is written as its digits, a Map with texts as keys as an object. Throws a ReplayError
 * with the path to the value where JSON has no form for it: NaN, infinities, functions, symbols, and Set and other
 * built-in objects without `toJSON` (an `encode` turns those into objects and arrays), or where nesting exceeds
 * `MAX_JSON_DEPTH`, as cycles do.
 */
export function canonicalJson(value: unknown): string {
  return write(value, null, "", 0);
}

function write(value: unknown, parent: Place | null, key: string | number, depth: number): string {
  switch (typeof value) {
    case "string":
      return quote(value);
    case "number":
      if (!Number.isFinite(value)) throw unwritable(String(value), parent, key);
      return `${value}`;
    case "boolean":
      return value ? "true" : "false";
    case "bigint":
      return value.toString();
    case "object":
      return value === null ? "null" : writeContainer(value, parent, key, depth);
    default:
      throw unwritable(value === undefined ? "undefined" : `a ${typeof value}`, parent, key);
  }
}

function writeContainer(value: object, parent: Place | null, key: string | number, depth: number): string {
  if (depth >= MAX_JSON_DEPTH) throw tooDeep();
  if ("toJSON" in value && typeof value.toJSON === "function") {
    const replaced: unknown = value.toJSON(String(key));
    // What toJSON returned is written as it is: its own toJSON is not asked again.
    if (typeof replaced !== "object" || replaced === null) return write(replaced, parent, key, depth);
    return writeStructure(replaced, parent, key, depth);
  }
  return writeStructure(value, parent, key, depth);
}

function writeStructure(value: object, parent: Place | null, key: string | number, depth: number): string {
  const place = depth === 0 ? null : { parent, key };
  if (Array.isArray(value)) return writeArray(value, place, depth);
  if (value instanceof Map) return writeMap(value, place, depth);
  const prototype: unknown = Object.getPrototypeOf(value);
  // A class's instances are written by their fields; a Map's or a Promise's content lies in none.
  if (prototype !== Object.prototype && prototype !== null) {
    const tag = Object.prototype.toString.call(value).slice(8, -1);
    if (tag !== "Object") throw unwritable(`a ${tag}`, parent, key);
  }
  return writeObject(value as Readonly<Record<string, unknown>>, place, depth);
}

function writeArray(items: readonly unknown[], place: Place | null, depth: number): string {
  let text = "[";
  for (let i = 0; i < items.length; i++) {
    if (i > 0) text += ",";
    const item = items[i];
    text += item === undefined ? "null" : write(item, place, i, depth + 1);
  }
  return `${text}]`;
}

function writeObject(object: Readonly<Record<string, unknown>>, place: Place | null, depth: number): string {
  if (isPlain(object, NATIVE_LEVELS)) return JSON.stringify(object);
  const { sorted, prefixes } = keyOrder(Object.keys(object));
  let text = "{";
  for (let i = 0; i < sorted.length; i++) {
    const key = sorted[i] as string;
    const value = object[key];
    if (value === undefined) continue;
    if (text.length > 1) text += ",";
    text += prefixes[i] + write(value, place, key, depth + 1);
  }
  return `${text}}`;
}

/**
 * Whether JSON.stringify writes an object as it must be: its keys stand in order already, and all in it has the same text
 * by either way. It is several times as fast; what lies deeper than `levels` is not looked into.
 */
function isPlain(object: unknown, levels: number): boolean {
  if (typeof object !== "object" || object === null || Object.getPrototypeOf(object) !== Object.prototype) return false;
  const values = object as Readonly<Record<string, unknown>>;
  let before = "";
  for (const key in values) {
    if (key < before) return false;
    before = key;
    const value = values[key];
    if (typeof value === "string" || value === null || typeof value === "boolean") continue;
    if (typeof value === "number" ? Number.isFinite(value) : levels > 0 && isPlain(value, levels - 1)) continue;
    return false;
  }
  return true;
}

/** As an object of its entries: a Map holds any keys, thousands of them, at less cost than an object does. */
function writeMap(map: ReadonlyMap<unknown, unknown>, place: Place | null, depth: number): string {
  const keys: string[] = [];
  for (const key of map.keys()) {
    if (typeof key !== "string") throw unwritable("a Map with keys that are no texts", place, "");
    keys.push(key);
  }
  let text = "{";
  for (const key of keys.sort()) {
    const value = map.get(key);
    if (value === undefined) continue;
    text += `${text.length > 1 ? "," : ""}${quote(key)}:${write(value, place, key, depth + 1)}`;
  }
  return `${text}}`;
}

function keyOrder(keys: readonly string[]): KeyOrder {
  const count = keys.length;
  const remembered = rememberedOrders[count];
  if (remembered !== undefined && isSame(remembered.keys, keys)) return remembered;
  const sorted = keys.toSorted();
  const order = { keys, sorted, prefixes: sorted.map((key) => `${quote(key)}:`) };
  if (count <= MAX_REMEMBERED_KEYS) rememberedOrders[count] = order;
  return order;
}

/** Of two lists of the same length. Keys are internalized strings: equal ones are compared by address. */
function isSame(a: readonly string[], b: readonly string[]): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function quote(text: string): string {
  return NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`;
}

function unwritable(what: string, parent: Place | null, key: string | number): ReplayError {
  return new ReplayError(
    `Cannot write a value as JSON: ${pathTo(parent, key)} is ${what}. ` +
      "Keep it out of the projection's state, or give the projection an encode() that turns it into plain JSON values.",
  );
}

function tooDeep(): ReplayError {
  return new ReplayError(
    `Cannot write a value as JSON: it is nested deeper than ${MAX_JSON_DEPTH} levels, or holds itself. ` +
      "Flatten the projection's state, or give the projection an encode() that does.",
  );
}

function pathTo(parent: Place | null, key: string | number): string {
  if (parent === null && key === "") return "it";
  const steps = [];
  for (let at: Place | null = { parent, key }; at !== null; at = at.parent) {
    steps.push(typeof at.key === "number" ? `[${at.key}]` : `[${JSON.stringify(at.key.slice(0, 80))}]`);
  }
  return `value${steps.slice(0, 20).reverse().join("")}`;
}
