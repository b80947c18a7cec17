import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UsageError } from "./errors.ts";
import { finerNanos, formatTime, parseTime } from "./times.ts";

describe("times", () => {
  it.each([
    ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"],
    ["2026-01-31t12:00:00.1239z", "2026-01-31T12:00:00.123Z"],
    ["2026-01-31 12:00:00+02:30", "2026-01-31T09:30:00Z"],
    ["2026-01-01T00:00:00-01:00", "2026-01-01T01:00:00Z"],
    ["2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"],
    ["2024-02-29", "2024-02-29T00:00:00Z"],
    ["1757901548", "2025-09-15T01:59:08Z"],
    ["1757901548.5", "2025-09-15T01:59:08.500Z"],
    ["1757901548000", "2025-09-15T01:59:08Z"],
    ["0", "1970-01-01T00:00:00Z"],
  ])("reads %s", (text, expected) => {
    expect(formatTime(parseTime(text))).toBe(expected);
  });

  it.each([
    "",
    "yesterday",
    "2026-02-30",
    "2026-13-01",
    "2026-01-31T12:00:00",
    "2026-01-31T24:00:00Z",
    "2026-01-31T12:60:00Z",
    "2026-01-31T12:00:00+25:00",
    "2026-1-1",
    "-5",
    "9".repeat(20),
    "1e9",
  ])("refuses %j, naming the flag", (text) => {
    expect(() => parseTime(text, "--to-time")).toThrow(UsageError);
    expect(() => parseTime(text, "--to-time")).toThrow("--to-time");
  });

  it("reads what it wrote", () => {
    fc.assert(
      fc.property(fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 }), (timeMs) => {
        expect(parseTime(formatTime(timeMs))).toBe(timeMs);
      }),
    );
  });
});

it.each([
  ["2026-01-31T12:00:00.123456789Z", 456_789],
  ["2026-01-31T12:00:00.1230004+02:00", 400],
  ["2026-01-31T12:00:00.1234567891Z", 456_789],
  ["2026-01-31T12:00:00.123Z", null],
  ["2026-01-31T12:00:00Z", null],
  ["1769860800.1234567", null],
  ["2026-13-31T12:00:00.123456Z", null],
])("%s has %s nanoseconds beyond its millisecond", (text, nanos) => {
  expect(finerNanos(text)).toBe(nanos);
});
