const DAY_MS = 86_400_000;
const DATE_LENGTH = 10;
const NO_DIGITS = 100_000;
const [PLUS, MINUS, DOT, ZERO, NINE, COLON, SPACE] = [43, 45, 46, 48, 57, 58, 32];
const [UPPER_T, LOWER_T, UPPER_Z, LOWER_Z] = [84, 116, 90, 122];

/**
 * Milliseconds since the epoch of an RFC 3339 time, what is finer cut off; NaN for any other text. A time without an
 * offset, or with " UTC" for it, as some producers write it, is taken for UTC. By hand, because each event comes through
 * here, and Date.parse takes several times as long and accepts a 30th of February.
 */
export function parseRfc3339(text: string): number {
  if (!hasSeparators(text)) return Number.NaN;
  if (!text.startsWith(latestDate)) rememberDate(text.slice(0, DATE_LENGTH));
  const hours = twoDigits(text, 11);
  const minutes = twoDigits(text, 14);
  const seconds = twoDigits(text, 17);
  // 60 is a leap second: the instant that clocks without them call the next minute's first.
  if (hours > 23 || minutes > 59 || seconds > 60) return Number.NaN;
  const fractionEnd = text.charCodeAt(19) === DOT ? endOfDigits(text, 20) : 19;
  if (fractionEnd === 20) return Number.NaN;
  const milliseconds = fractionDigit(text, 20, fractionEnd) * 100 + fractionDigit(text, 21, fractionEnd) * 10;
  const timeOfDayMs =
    ((hours * 60 + minutes) * 60 + seconds) * 1_000 + milliseconds + fractionDigit(text, 22, fractionEnd);
  return latestDayMs + timeOfDayMs - offsetMinutes(text, fractionEnd) * 60_000;
}

/** Events come in the order of their times, many of a day: its date is worked out once. */
let latestDate = "1970-01-01";
let latestDayMs = 0;

function rememberDate(date: string): void {
  const year = twoDigits(date, 0) * 100 + twoDigits(date, 2);
  const month = twoDigits(date, 5);
  const day = twoDigits(date, 8);
  const isDate = year <= 9999 && day >= 1 && day <= daysInMonth(year, month);
  latestDate = date;
  latestDayMs = isDate ? daysSinceEpoch(year, month, day) * DAY_MS : Number.NaN;
}

/** Whether a text that `parseRfc3339` reads states its offset, as RFC 3339 demands. */
export function hasOffset(text: string): boolean {
  const last = text.charCodeAt(text.length - 1);
  const sign = text.charCodeAt(text.length - 6);
  return last === UPPER_Z || last === LOWER_Z || sign === PLUS || sign === MINUS;
}

function hasSeparators(text: string): boolean {
  const separator = text.charCodeAt(10);
  return (
    text.charCodeAt(4) === MINUS &&
    text.charCodeAt(7) === MINUS &&
    (separator === UPPER_T || separator === LOWER_T || separator === SPACE) &&
    text.charCodeAt(13) === COLON &&
    text.charCodeAt(16) === COLON
  );
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE;
}

/** A number beyond all that two digits can say where they are none: whole numbers compare faster than NaN. */
function twoDigits(text: string, at: number): number {
  const tens = text.charCodeAt(at);
  const ones = text.charCodeAt(at + 1);
  return isDigit(tens) && isDigit(ones) ? (tens - ZERO) * 10 + ones - ZERO : NO_DIGITS;
}

function fractionDigit(text: string, at: number, end: number): number {
  return at < end ? text.charCodeAt(at) - ZERO : 0;
}

function endOfDigits(text: string, start: number): number {
  let at = start;
  while (isDigit(text.charCodeAt(at))) at++;
  return at;
}

/** East of UTC is positive; NaN where the rest of the text is no offset. */
function offsetMinutes(text: string, at: number): number {
  const first = text.charCodeAt(at);
  if (at + 1 === text.length && (first === UPPER_Z || first === LOWER_Z)) return 0;
  if (at === text.length || text.slice(at) === " UTC") return 0;
  if (at + 6 !== text.length || text.charCodeAt(at + 3) !== COLON) return Number.NaN;
  const hours = twoDigits(text, at + 1);
  const minutes = twoDigits(text, at + 4);
  if (!(hours <= 23 && minutes <= 59) || (first !== PLUS && first !== MINUS)) return Number.NaN;
  return first === PLUS ? hours * 60 + minutes : -(hours * 60 + minutes);
}

/** 0 for a month that there is not. */
function daysInMonth(year: number, month: number): number {
  if (!(month >= 1 && month <= 12)) return 0;
  if (month !== 2) return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
}

/** In the Gregorian calendar, counted in years that begin in March, so that a leap day is a year's last. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const marchYear = month <= 2 ? year - 1 : year;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400);
  return marchYear * 365 + leapDays + dayOfYear - 719_468;
}
