import type { DecodedEvent, MalformedEvent } from "../event.ts";

/** A class of its own, because a parsed payload may hold a key `malformed` as well. */
export class Malformed implements MalformedEvent {
  readonly malformed = true;
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

export function isMalformed(x: DecodedEvent | MalformedEvent): x is MalformedEvent {
  return x instanceof Malformed;
}

const MAX_SHOWN = 80;
/** Control characters, what ends a line or turns the direction of text, and half surrogates. */
const UNSHOWABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Cs}]/gu;

/** Text as one short line for a reason: cut, and nothing in it that a terminal would obey. */
export function oneLine(text: string): string {
  const shown = text.slice(0, MAX_SHOWN).replace(UNSHOWABLE, escapeUnit);
  return text.length > MAX_SHOWN ? `${shown}…` : shown;
}

/** A value for a reason: text and numbers as they are, of others only what they are. */
export function show(value: unknown): string {
  if (typeof value === "string") return `"${oneLine(value)}"`;
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
  return oneLine(String(value));
}

function escapeUnit(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
