/** A parsed object. Its keys come from outside: read fields by name only, never copy them onto another object. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The field's object, or an empty one to read on from. */
export function objectOf(value: unknown): JsonObject {
  return isObject(value) ? value : NO_FIELDS;
}

export function textOf(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

/** An id as producers write it: text, a number, `{"id": …}`, or `{"kind": …, "value": …}`. Null for anything else. */
export function idOf(value: unknown): string | null {
  if (typeof value === "string") return value === "" ? null : value;
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  return isObject(value) ? idOf(value.id ?? value.value) : null;
}

export function sequenceOf(value: unknown): number | null {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

/** A content id: text, or a link of the DAG-JSON form `{"/": text}`. */
export function cidOf(value: unknown): string | null {
  return textOf(isObject(value) ? value["/"] : value);
}

/** Has no prototype: looking a name up finds nothing that the producer did not write. */
export const NO_FIELDS: JsonObject = Object.freeze(Object.create(null));
