import { canonicalJson, type ReplayEvent } from "@cim-replay/core";

export type Payload = Readonly<Record<string, unknown>>;

/** The payload's fields. Throws where it has none: such an event cannot be folded. */
export function payloadOf(event: ReplayEvent): Payload {
  const { payload } = event;
  if (typeof payload !== "object" || payload === null || Array.isArray(payload)) {
    throw new Error(`${event.type} cannot be folded: its payload is ${describe(payload)}, not an object with fields.`);
  }
  return payload as Payload;
}

/** An id as producers write them: a text, a whole number, or `{ id }`. Null where it is none. */
export function idOf(value: unknown): string | null {
  if (typeof value === "string") return value === "" ? null : value;
  if (typeof value === "bigint" || Number.isSafeInteger(value)) return String(value);
  if (typeof value === "object" && value !== null && "id" in value && typeof value.id !== "object")
    return idOf(value.id);
  return null;
}

/** The id under the first of `fields` that holds one. Throws where none does. */
export function requireId(event: ReplayEvent, payload: Payload, fields: readonly string[]): string {
  for (const field of fields) {
    const id = idOf(payload[field]);
    if (id !== null) return id;
  }
  throw new Error(`${event.type} cannot be folded: its payload has no ${fields.join(" or ")}.`);
}

export function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

export function numberOf(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/**
 * A nested value of the payload as its JSON text; null where it holds nothing. As text it costs the collector one
 * object instead of many, and any key in it (`__proto__`, `toJSON`) outlives a checkpoint. Throws where it is no JSON.
 */
export function nestedText(value: unknown): string | null {
  if (typeof value !== "object" || value === null) return null;
  for (const _ in value) return canonicalJson(value);
  return null;
}

export function parseNested(text: string | null): unknown {
  return text === null ? {} : JSON.parse(text);
}

/** What an entry holds by id; canonical JSON writes it as an object, whatever the ids are. */
export function dictionary<In, Out>(
  items: ReadonlyMap<string, In> | null,
  encode: (item: In) => Out,
): ReadonlyMap<string, Out> {
  const result = new Map<string, Out>();
  if (items !== null) for (const [id, item] of items) result.set(id, encode(item));
  return result;
}

/** A value as it comes back from its JSON. */
export type Stored<Value> = {
  [Field in keyof Value]: Value[Field] extends ReadonlyMap<string, infer Item>
    ? Readonly<Record<string, Item>>
    : Value[Field];
};

/** The way back from `dictionary`. */
export function undictionary<In, Out>(
  items: Readonly<Record<string, In>>,
  decode: (item: In, id: string) => Out,
): Map<string, Out> {
  return new Map(Object.entries(items).map(([id, item]) => [id, decode(item, id)]));
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return "missing";
  return `a ${Array.isArray(value) ? "list" : typeof value}`;
}
