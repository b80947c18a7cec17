import microdiff from "microdiff";

/** Lenient, it would make the same text of different bytes. */
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** One place at which two values differ. `left` or `right` is undefined where the place is on the other side only. */
export interface PathChange {
  /** Names and indices from the root, e.g. `["nodes", "n1", "label"]`; empty: the whole value. */
  readonly path: readonly (string | number)[];
  readonly left: unknown;
  readonly right: unknown;
}

/**
 * Where two values differ, given as bytes of JSON. Empty: the same value, if perhaps in other bytes. What is no JSON, or
 * is nested too deep, is compared as text and differs as a whole.
 */
export function diffValues(left: Uint8Array, right: Uint8Array): PathChange[] {
  try {
    // In a box, so that roots may be scalars, or one an array and one an object.
    const changes = microdiff({ value: parseExact(left) }, { value: parseExact(right) }, { cyclesFix: false });
    return changes.map((change) => ({
      path: change.path.slice(1),
      left: change.type === "CREATE" ? undefined : change.oldValue,
      right: change.type === "REMOVE" ? undefined : change.value,
    }));
  } catch {
    return diffTexts(left, right);
  }
}

/**
 * As it is written in JavaScript, e.g. `nodes["a b"].labels[0]`; `(all)` for the whole value; with `*` in place of every index
 * where `anyIndex` says so.
 */
export function pathText(path: readonly (string | number)[], anyIndex?: "*"): string {
  if (path.length === 0) return "(all)";
  return path.map((step, i) => (typeof step === "number" ? `[${anyIndex ?? step}]` : nameText(step, i === 0))).join("");
}

function nameText(name: string, isFirst: boolean): string {
  if (!/^[A-Za-z_$][\w$]*$/.test(name)) return `[${JSON.stringify(name)}]`;
  return isFirst ? name : `.${name}`;
}

/**
 * Objects without prototype: of plain ones, `__proto__`, `constructor` and the like are there before they are set, and
 * what compares them would look into those. Whole numbers that a double cannot hold become BigInts: two of them are not
 * the same because they are rounded to the same.
 */
export function parseExact(bytes: Uint8Array): unknown {
  const text = strictUtf8.decode(bytes);
  return JSON.parse(text, function (this: unknown, _key: string, value: unknown, context?: { source?: string }) {
    if (typeof value === "number") return exact(value, context?.source);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    return Object.assign(Object.create(null) as object, value);
  });
}

function exact(value: number, source: string | undefined): number | bigint {
  if (Number.isSafeInteger(value) || source === undefined || !/^-?\d+$/.test(source)) return value;
  return BigInt(source);
}

function diffTexts(left: Uint8Array, right: Uint8Array): PathChange[] {
  if (Buffer.compare(left, right) === 0) return [];
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  const isTold = a.toString("utf8") !== b.toString("utf8");
  const shown = (bytes: Buffer) => (isTold ? bytes.toString("utf8") : `(hex) ${bytes.toString("hex")}`);
  return [{ path: [], left: shown(a), right: shown(b) }];
}
