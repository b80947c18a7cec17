import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { timeMsOf, timestampOf } from "./event-time.ts";
import { parseRfc3339 } from "./rfc3339.ts";

const NOON = Date.UTC(2024, 0, 15, 12);

describe("an event's time", () => {
  it("is read from RFC 3339 with any offset", () => {
    expect(timeMsOf("2024-01-15T12:00:00Z")).toBe(NOON);
    expect(timeMsOf("2024-01-15t12:00:00z")).toBe(NOON);
    expect(timeMsOf("2024-01-15 12:00:00Z")).toBe(NOON);
    expect(timeMsOf("2024-01-15T14:30:00+02:30")).toBe(NOON);
    expect(timeMsOf("2024-01-14T23:00:00-13:00")).toBe(NOON);
    expect(timeMsOf("2024-01-15T12:00:00.5Z")).toBe(NOON + 500);
    expect(timeMsOf("2024-01-15T12:00:00.123456789Z")).toBe(NOON + 123);
    expect(timeMsOf("2024-01-15T11:59:60Z")).toBe(NOON);
  });

  it("is read from what producers write instead", () => {
    expect(timeMsOf("2024-01-15T12:00:00")).toBe(NOON);
    expect(timeMsOf("2024-01-15 12:00:00.25 UTC")).toBe(NOON + 250);
    expect(timeMsOf("2024-01-15")).toBe(Date.UTC(2024, 0, 15));
    expect(timeMsOf(NOON / 1_000)).toBe(NOON);
    expect(timeMsOf(NOON)).toBe(NOON);
    expect(timeMsOf(1757901548.123)).toBe(1757901548123);
    expect(timeMsOf("1757901548")).toBe(1757901548000);
    expect(timeMsOf(1757901548n)).toBe(1757901548000);
    expect(timeMsOf({ secs_since_epoch: 1757901548, nanos_since_epoch: 987654321 })).toBe(1757901548987);
  });

  it("takes numbers below 1e11 for seconds", () => {
    expect(timeMsOf(99_999_999_999)).toBe(99_999_999_999_000);
    expect(timeMsOf(100_000_000_000)).toBe(100_000_000_000);
  });

  it("is none where nothing can be read", () => {
    const noTimes = ["yesterday", "2024-02-30T12:00:00Z", "2023-02-29T12:00:00Z", "2024-13-01T12:00:00Z"];
    noTimes.push("2024-01-15T24:00:00Z", "2024-01-15T12:60:00Z", "2024-01-15T12:00:00+25:00", "2024-01-15T12:00:00.Z");
    noTimes.push("2024-01-15T12:00:00Zulu", "2024-01-15T12:00Z", "1.2.3", "", "0x10", "2024-01-15T12:00:00Z\n");
    for (const value of [...noTimes, null, undefined, true, [], {}, Number.NaN, 1e300, { secs_since_epoch: "1" }]) {
      expect(timeMsOf(value)).toBeNaN();
    }
  });

  it("is shown as its producer wrote it where that is RFC 3339, else in UTC", () => {
    const shown = (value: unknown) => timestampOf(value, timeMsOf(value));
    for (const text of ["2024-01-15T14:30:00+02:30", "2024-01-15T12:00:00.123456Z", "2024-01-15T12:00:00z"]) {
      expect(shown(text)).toBe(text);
    }
    expect(shown("2024-01-15T12:00:00")).toBe("2024-01-15T12:00:00.000Z");
    expect(shown("2024-01-15")).toBe("2024-01-15T00:00:00.000Z");
    expect(shown("2024-01-15 12:00:00 UTC")).toBe("2024-01-15T12:00:00.000Z");
    expect(shown(NOON / 1_000)).toBe("2024-01-15T12:00:00.000Z");
    expect(shown("1757901548")).toBe("2025-09-15T01:59:08.000Z");
  });

  it("agrees with the platform on every instant of four-digit years", () => {
    const years = { min: new Date("0000-01-01T00:00:00Z"), max: new Date("9999-12-31T23:59:59Z"), noInvalidDate: true };
    fc.assert(
      fc.property(fc.date(years), (date) => {
        expect(parseRfc3339(date.toISOString())).toBe(date.getTime());
      }),
    );
  });
});
