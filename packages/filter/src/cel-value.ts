import { canonicalJson } from "@cim-replay/core";

/** As deep as canonical JSON is written. */
const MAX_DEPTH = 1_000;
const MAX_SHOWN = 200;
/** Control characters, what ends a line or turns the direction of text, and half surrogates. */
const UNSHOWABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Cs}]/gu;

/**
 * A parsed JSON value as CEL takes it. Whole numbers become integers (BigInt), so that they equal what `size()` gives;
 * others, and those too large to be exact, stay doubles. Objects become Maps: their keys come from input, and none of
 * `constructor` or `__proto__` means anything to a Map. Throws where it is nested too deeply.
 */
export function celValue(value: unknown, depth = 0): unknown {
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof value !== "object" || value === null) return value;
  if (depth >= MAX_DEPTH) throw new Error(`it is nested deeper than ${MAX_DEPTH} levels`);
  if (Array.isArray(value)) return value.map((item: unknown) => celValue(item, depth + 1));
  const map = new Map<string, unknown>();
  for (const [key, item] of Object.entries(value)) map.set(key, celValue(item, depth + 1));
  return map;
}

/** A value that CEL gave, for people: text as it is, others as JSON, neither too long. */
export function showCelValue(value: unknown): string {
  const text = typeof value === "string" ? value : jsonOf(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

/** Text as one line in which nothing is left that a terminal or a page would obey. */
export function plainLine(text: string): string {
  return text.replace(UNSHOWABLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Times, durations and types of CEL's are no JSON, and say by themselves what they are. */
function jsonOf(value: unknown): string {
  try {
    return canonicalJson(value);
  } catch {
    return String(value);
  }
}
