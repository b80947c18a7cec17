const MOST_SHOWN = 60;
/** Control characters, what ends a line or turns the direction of text: no terminal shall obey what stands in data. */
const UNSHOWABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** A value as one short line of JSON; `–` where there is none. */
export function shortValue(value: unknown): string {
  if (value === undefined) return "–";
  const text = printable(typeof value === "bigint" ? value.toString() : exactJson(value));
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
}

export function printable(text: string): string {
  return text.replace(UNSHOWABLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Numbers that no double holds are in here as BigInts, and are written as the numbers that they are. */
export function exactJson(value: unknown, indent?: number): string {
  const exact = (_: string, member: unknown) => (typeof member === "bigint" ? rawJSON(member.toString()) : member);
  return JSON.stringify(value, exact, indent);
}

/** The compiler's library does not have it yet. */
const { rawJSON } = JSON as JSON & { rawJSON(text: string): unknown };
