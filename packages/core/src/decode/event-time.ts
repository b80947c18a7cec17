import { isObject } from "./fields.ts";
import { hasOffset, parseRfc3339 } from "./rfc3339.ts";

/** Numbers below this are seconds since the epoch, others milliseconds: in seconds it is the year 5138, in ms 1973. */
const FIRST_MILLISECONDS = 1e11;
/** RFC 3339 has years of four digits. */
const MIN_MS = Date.parse("0000-01-01T00:00:00Z");
const MAX_MS = Date.parse("9999-12-31T23:59:59.999Z");

const NUMBER = /^-?\d+(\.\d+)?$/;
const DATE = /^\d{4}-\d\d-\d\d$/;

/**
 * Milliseconds since the epoch of a time as producers write it: RFC 3339, a date, seconds or milliseconds since the epoch
 * (as text, too), `{secs_since_epoch, nanos_since_epoch}`. NaN for anything else.
 */
export function timeMsOf(value: unknown): number {
  const ms = readTime(value);
  return ms >= MIN_MS && ms <= MAX_MS ? ms : Number.NaN;
}

/** The same instant as RFC 3339: the producer's own text where it is that, else in UTC. */
export function timestampOf(value: unknown, timeMs: number): string {
  const isRfc3339 = typeof value === "string" && value.length > 19 && hasOffset(value);
  return isRfc3339 ? value : new Date(timeMs).toISOString();
}

function readTime(value: unknown): number {
  if (typeof value === "string") return readText(value);
  if (typeof value === "number") return fromEpoch(value);
  if (typeof value === "bigint") return fromEpoch(Number(value));
  if (!isObject(value)) return Number.NaN;
  const { secs_since_epoch: seconds, nanos_since_epoch: nanos = 0 } = value;
  if (typeof seconds !== "number" || typeof nanos !== "number") return Number.NaN;
  return seconds * 1_000 + Math.floor(nanos / 1e6);
}

function readText(text: string): number {
  const timeMs = parseRfc3339(text);
  if (!Number.isNaN(timeMs)) return timeMs;
  if (NUMBER.test(text)) return fromEpoch(Number(text));
  return DATE.test(text) ? parseRfc3339(`${text}T00:00:00Z`) : Number.NaN;
}

function fromEpoch(number: number): number {
  if (Math.abs(number) >= FIRST_MILLISECONDS) return Math.floor(number);
  // Rounded to microseconds first: 1757901548.123 * 1000 is a little less than it should be.
  return Math.floor(Math.round(number * 1e6) / 1_000);
}
