import { UsageError } from "./errors.ts";

/** Numbers below this are seconds since the epoch, others milliseconds: in seconds it is the year 5138, in ms 1973. */
const FIRST_MILLISECONDS = 1e11;
/** The largest instant a Date holds. */
const MAX_TIME_MS = 8.64e15;

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const DATE_TIME = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

/**
 * Milliseconds since the epoch of an RFC 3339 time, a date (midnight UTC), or a number since the epoch (below 1e11:
 * seconds). What is finer than a millisecond is cut off. `flag` names the setting in the UsageError.
 */
export function parseTime(text: string, flag = "time"): number {
  const trimmed = text.trim();
  const timeMs = parseNumber(trimmed) ?? parseDate(trimmed) ?? parseDateTime(trimmed);
  if (timeMs === null || Math.abs(timeMs) > MAX_TIME_MS) {
    throw new UsageError(
      `Cannot use ${flag} "${text}": it is no time. ` +
        "Write it like 2026-01-31T12:00:00Z, 2026-01-31 (midnight UTC) or 1769860800 (seconds since the epoch).",
    );
  }
  return timeMs;
}

/**
 * Nanoseconds beyond the whole millisecond (0 to 999,999) of an RFC 3339 time whose fraction has more than three digits; null for
 * any other text. Digits beyond the ninth are cut off.
 */
export function finerNanos(text: string): number | null {
  const digits = /[.](\d{4,})/.exec(text.trim())?.[1];
  return digits === undefined || parseDateTime(text.trim()) === null ? null : Number(digits.slice(3, 9).padEnd(6, "0"));
}

/** RFC 3339 in UTC, with milliseconds only where there are any. */
export function formatTime(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(".000Z", "Z");
}

function parseNumber(text: string): number | null {
  if (!/^\d+(\.\d+)?$/.test(text)) return null;
  const number = Number(text);
  return Math.floor(number < FIRST_MILLISECONDS ? number * 1_000 : number);
}

function parseDate(text: string): number | null {
  if (!DATE.test(text)) return null;
  const timeMs = Date.parse(`${text}T00:00:00Z`);
  // Date.parse may take the 30th of February for the 2nd of March.
  return !Number.isNaN(timeMs) && new Date(timeMs).toISOString().startsWith(text) ? timeMs : null;
}

function parseDateTime(text: string): number | null {
  const match = DATE_TIME.exec(text);
  if (match === null) return null;
  const midnightMs = parseDate(match[1] ?? "");
  const offsetMinutes = parseOffset(match[6] ?? "");
  const [hours, minutes, seconds] = [Number(match[2]), Number(match[3]), Number(match[4])];
  // 60 is a leap second: the instant that clocks without them call the next minute's first.
  if (midnightMs === null || offsetMinutes === null || hours > 23 || minutes > 59 || seconds > 60) return null;
  const milliseconds = Number((match[5] ?? ".").slice(1, 4).padEnd(3, "0"));
  return midnightMs + ((hours * 60 + minutes - offsetMinutes) * 60 + seconds) * 1_000 + milliseconds;
}

function parseOffset(text: string): number | null {
  if (text === "Z" || text === "z") return 0;
  const [hours, minutes] = [Number(text.slice(1, 3)), Number(text.slice(4))];
  if (hours > 23 || minutes > 59) return null;
  return (text.startsWith("-") ? -1 : 1) * (hours * 60 + minutes);
}
