import { plainSpelling } from "../aliases.ts";
import { isObject, type JsonObject, NO_FIELDS, textOf } from "./fields.ts";

/** A body with the name that it bears itself; null where it bears none. */
interface Named {
  readonly type: string | null;
  readonly payload: unknown;
}

/** The variant's name of an externally tagged enum, `{"NodeAdded": …}`: the one key, in the case of types. Else null. */
export function tagOf(value: unknown): string | null {
  if (!isObject(value)) return null;
  let tag: string | null = null;
  for (const key in value) {
    if (tag !== null) return null;
    const first = key.charCodeAt(0);
    if (!(first >= 65 && first <= 90)) return null;
    tag = key;
  }
  return tag !== null && /^[A-Za-z0-9_]+$/.test(tag) ? tag : null;
}

/** Takes a body's name off it: a variant's tag, a variant without fields (`"NodeAdded"`), or a field `type` (which stays). */
export function untag(body: unknown): Named {
  if (typeof body === "string") return { type: textOf(body), payload: NO_FIELDS };
  const tag = tagOf(body);
  if (tag !== null) return { type: tag, payload: (body as JsonObject)[tag] };
  return { type: isObject(body) ? textOf(body.type) : null, payload: body };
}

/**
 * The same where the envelope states the type beside the body: its spelling stands, and a tag is taken off only where it
 * is that type once more, because a body with one field may look like a tagged one.
 */
export function untagAs(type: string | null, body: unknown): Named {
  if (type === null) return untag(body);
  const tag = tagOf(body);
  const isTheType = tag !== null && (tag === type || plainSpelling(tag) === plainSpelling(type));
  return { type, payload: isTheType ? (body as JsonObject)[tag] : body };
}

/** The same for a body without an envelope, where a field `type` may well be a fact of the domain. */
export function untagBare(body: JsonObject): Named {
  const tag = tagOf(body);
  return tag === null ? { type: textOf(body.event_type), payload: body } : { type: tag, payload: body[tag] };
}
