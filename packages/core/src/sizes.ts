import { UsageError } from "./errors.ts";

const KIB = 1024;
const BYTES_PER_UNIT: Readonly<Record<string, number>> = { "": 1, k: KIB, m: KIB ** 2, g: KIB ** 3, t: KIB ** 4 };
const UNIT_NAMES = ["KiB", "MiB", "GiB", "TiB"];

/**
 * Bytes of `8G`, `512MB`, `1.5GiB`, `100000`. K, M, G and T count in 1,024s, with or without `B` or `iB`; case does not
 * matter. `flag` names the setting in the UsageError.
 */
export function parseSize(text: string, flag = "size"): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(text.trim());
  const bytes = match === null ? Number.NaN : Number(match[1]) * (BYTES_PER_UNIT[(match[2] ?? "").toLowerCase()] ?? 1);
  if (!Number.isSafeInteger(Math.floor(bytes))) {
    throw new UsageError(`Cannot use ${flag} "${text}": it is no size. Write it like 8G, 512M or 100000 (bytes).`);
  }
  return Math.floor(bytes);
}

/** For people: `980 B`, `1.5 GiB`. */
export function formatSize(bytes: number): string {
  if (bytes < KIB) return `${Math.round(bytes)} B`;
  let amount = bytes / KIB;
  let unit = 0;
  // Compared as rounded: 1,023.97 KiB reads 1.0 MiB, not 1024 KiB.
  while (unit < UNIT_NAMES.length - 1 && Math.round(amount) >= KIB) {
    amount /= KIB;
    unit++;
  }
  return `${amount < 9.95 ? amount.toFixed(1) : Math.round(amount)} ${UNIT_NAMES[unit]}`;
}

/** For people: `12,345`. */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const MS_PER_UNIT: Readonly<Record<string, number>> = { ms: 1, s: SECOND_MS, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS };

/**
 * Milliseconds of `500ms`, `30s`, `5m`, `2h`, `1d`, `1h30m`. A number without a unit is refused (seconds and
 * milliseconds are both usual), but for 0. `flag` names the setting in the UsageError.
 */
export function parseDuration(text: string, flag = "duration"): number {
  const trimmed = text.trim().toLowerCase();
  if (trimmed === "0") return 0;
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(trimmed)) throw noDuration(text, flag);
  let totalMs = 0;
  for (const [, amount, unit] of trimmed.matchAll(/([\d.]+)(ms|s|m|h|d)/g)) {
    totalMs += Number(amount) * (MS_PER_UNIT[unit ?? ""] ?? Number.NaN);
  }
  if (!Number.isSafeInteger(Math.round(totalMs))) throw noDuration(text, flag);
  return Math.round(totalMs);
}

/** For people, with the two largest units that matter: `850 ms`, `3.2 s`, `1 min 5 s`, `2 h 10 min`, `3 d 4 h`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < SECOND_MS - 0.5) return `${Math.max(0, Math.round(durationMs))} ms`;
  if (durationMs < 9_950) return `${(durationMs / SECOND_MS).toFixed(1)} s`;
  const seconds = Math.round(durationMs / SECOND_MS);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return twoUnits(Math.floor(seconds / 60), "min", seconds % 60, "s");
  const minutes = Math.round(durationMs / MINUTE_MS);
  if (minutes < 24 * 60) return twoUnits(Math.floor(minutes / 60), "h", minutes % 60, "min");
  const hours = Math.round(durationMs / HOUR_MS);
  return twoUnits(Math.floor(hours / 24), "d", hours % 24, "h");
}

function twoUnits(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

function noDuration(text: string, flag: string): UsageError {
  return new UsageError(`Cannot use ${flag} "${text}": it is no duration. Write it like 500ms, 30s, 5m or 2h.`);
}
