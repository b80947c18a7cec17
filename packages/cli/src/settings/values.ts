import { errorMessage, finerNanos, parseDuration, parseSize, parseTime } from "@cim-replay/core";
import { z } from "zod";

/**
 * How a value is read, whether it comes from YAML (a number or a boolean as such), the environment or a flag (text). Each
 * says in its own words what would have been right.
 */
function valueFrom<Value>(read: (input: unknown) => Value): z.ZodType<Value> {
  return z.unknown().transform((input, context) => {
    try {
      return read(input);
    } catch (error) {
      context.issues.push({ code: "custom", message: inShort(errorMessage(error)), input });
      return z.NEVER;
    }
  });
}

/** Where it stands is said by the caller, so core's `Cannot use size "8Q": it is no size.` loses its beginning and end. */
function inShort(message: string): string {
  return message.replace(/^Cannot use \S+ (?=")/, "").replace(/\.$/, "");
}

function reject(input: unknown, wanted: string): never {
  throw new Error(`${JSON.stringify(input)} is not ${wanted}`);
}

function readCount(input: unknown, least: number): number {
  const count = typeof input === "string" && /^\d[\d_]*$/.test(input) ? Number(input.replaceAll("_", "")) : input;
  if (typeof count === "number" && Number.isSafeInteger(count) && count >= least) return count;
  return reject(input, `a whole number from ${least} on`);
}

/** What it was is not repeated: it may be a password that the file's language takes for a number or a list. */
function readText(input: unknown): string {
  if (typeof input === "string" && input.trim() !== "") return input;
  throw new Error(input === "" ? "it is empty" : "it is not a text: write it in quotes");
}

function readFlag(input: unknown): boolean {
  if (input === true || input === "true" || input === "1") return true;
  if (input === false || input === "false" || input === "0") return false;
  return reject(input, "true or false");
}

function readOneOf<const Word extends string>(input: unknown, words: readonly Word[]): Word {
  return words.find((word) => word === input) ?? reject(input, `one of ${words.join(", ")}`);
}

function readUrl(input: unknown, protocols: readonly string[]): string {
  const text = readText(input);
  const fits = text.split(",").every((part) => protocols.includes(/^([a-z]+):\/\//.exec(part.trim())?.[1] ?? ""));
  // The text may hold a password: it is not repeated here.
  if (!fits) throw new Error(`this is no URL that starts with ${protocols.map((name) => `${name}://`).join(" or ")}`);
  return text;
}

/** `none` (or null in YAML) sets aside a value that a file or the environment gives. */
function orNone<Value>(read: (input: unknown) => Value): (input: unknown) => Value | null {
  return (input) => (input === null || input === "none" ? null : read(input));
}

const asText = (input: unknown) => (typeof input === "number" ? String(input) : readText(input));

export const text = valueFrom(readText);
export const textOrNone = valueFrom(orNone(readText));
export const flag = valueFrom(readFlag);
/** Named alone, a flag is true. */
export const flagOrAuto = valueFrom((input) => (input === "auto" ? "auto" : readFlag(input)));
export const count = valueFrom((input) => readCount(input, 1));
export const countOrZero = valueFrom((input) => readCount(input, 0));
export const countOrNone = valueFrom(orNone((input) => readCount(input, 1)));
export const bytesOrNone = valueFrom(orNone((input) => parseSize(asText(input))));
/** A worker takes that much before it has read anything. */
const LEAST_WORKER_MIB = 128;
export const workerBytesOrNone = valueFrom(
  orNone((input) => {
    const bytes = parseSize(asText(input));
    if (bytes >= LEAST_WORKER_MIB * 2 ** 20) return bytes;
    throw new Error(
      `${JSON.stringify(input)} is less than a worker takes that does nothing: ${LEAST_WORKER_MIB}M is the least`,
    );
  }),
);
export const durationMs = valueFrom((input) => parseDuration(asText(input)));
/** Where seconds are what everybody means by a number alone. */
export const secondsOrDurationMs = valueFrom((input) => {
  const words = asText(input);
  return /^\d+(\.\d+)?$/.test(words) ? Math.round(Number(words) * 1000) : parseDuration(words);
});
export const timeMs = valueFrom((input) => parseTime(asText(input)));

export interface PreciseTime {
  readonly timeMs: number;
  /** Beyond the millisecond; null where the time was given without such digits: then it means all of its millisecond. */
  readonly finerNanos: number | null;
}

export const preciseTime = valueFrom((input): PreciseTime => {
  const words = asText(input);
  return { timeMs: parseTime(words), finerNanos: finerNanos(words) };
});
export const number = valueFrom((input) => {
  const value = typeof input === "string" && input.trim() !== "" ? Number(input) : input;
  return typeof value === "number" && Number.isFinite(value) ? value : reject(input, "a number");
});
export const countAutoOrNone = valueFrom(orNone((input) => (input === "auto" ? "auto" : readCount(input, 1))));
export const countOrAuto = valueFrom((input) => (input === "auto" ? "auto" : readCount(input, 0)));
export const port = valueFrom((input) => {
  if (input === "off" || input === false) return "off";
  const value = readCount(input, 0);
  return value <= 65_535 ? value : reject(input, "a port (0 to 65535) or off");
});
export const words = valueFrom((input) => {
  const list = Array.isArray(input) ? input.map(readText) : readText(input).split(",");
  return list.map((word) => word.trim()).filter((word) => word !== "");
});

/** Of a flag that is given several times, or of a list; as one text, several that all have a bucket may stand between commas. */
export const projections = valueFrom(
  orNone((input) => {
    const list = Array.isArray(input) ? input.map(readText) : [readText(input)];
    return list.flatMap((text) => {
      const parts = text.split(",").map((part) => part.trim());
      return parts.every((part) => /=[\w-]+$/.test(part)) ? parts : [text];
    });
  }),
);

export function oneOf<const Word extends string>(...choices: readonly Word[]): z.ZodType<Word> {
  return valueFrom((input) => readOneOf(input, choices));
}

export function url(...protocols: readonly string[]): z.ZodType<string> {
  return valueFrom((input) => readUrl(input, protocols));
}
