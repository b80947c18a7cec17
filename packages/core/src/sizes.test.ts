import { describe, expect, it } from "vitest";
import { UsageError } from "./errors.ts";
import { formatCount, formatDuration, formatSize, parseDuration, parseSize } from "./sizes.ts";

describe("sizes", () => {
  it.each([
    ["8G", 8 * 1024 ** 3],
    ["512MB", 512 * 1024 ** 2],
    ["1GiB", 1024 ** 3],
    ["1.5g", 1.5 * 1024 ** 3],
    ["64 kib", 64 * 1024],
    ["2T", 2 * 1024 ** 4],
    ["100000", 100_000],
    ["10B", 10],
    ["0", 0],
  ])("reads %s", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each(["", "G", "-1", "8X", "1e9", "NaN", "8G8", "1.G", "99999999999T", "8 G i B"])(
    "refuses %j, naming the flag",
    (text) => {
      expect(() => parseSize(text, "--memory-limit")).toThrow(UsageError);
      expect(() => parseSize(text, "--memory-limit")).toThrow("--memory-limit");
    },
  );

  it("writes sizes for people", () => {
    expect([0, 980, 1024, 1536 * 1024, 512 * 1024 ** 2, 8 * 1024 ** 3, 1024 ** 2 - 1].map(formatSize)).toEqual([
      "0 B",
      "980 B",
      "1.0 KiB",
      "1.5 MiB",
      "512 MiB",
      "8.0 GiB",
      "1.0 MiB",
    ]);
  });

  it("writes counts for people", () => {
    expect([0, 999, 12_345, 1_000_000].map(formatCount)).toEqual(["0", "999", "12,345", "1,000,000"]);
  });
});

describe("durations", () => {
  it.each([
    ["500ms", 500],
    ["30s", 30_000],
    ["5m", 300_000],
    ["2h", 7_200_000],
    ["1d", 86_400_000],
    ["1h30m", 5_400_000],
    ["1.5s", 1_500],
    ["0", 0],
  ])("reads %s", (text, durationMs) => {
    expect(parseDuration(text)).toBe(durationMs);
  });

  it.each(["", "30", "s", "-5m", "5x", "5m x", "1.2.3s", "1e3s", `${"9".repeat(20)}d`])(
    "refuses %j, naming the flag",
    (text) => {
      expect(() => parseDuration(text, "--timeout")).toThrow(UsageError);
      expect(() => parseDuration(text, "--timeout")).toThrow("--timeout");
    },
  );

  it("writes durations for people", () => {
    expect(
      [-5, 850.4, 999.7, 3_200, 12_000, 65_000, 59_999, 3_599_900, 7_800_000, 86_399_999, 273_600_000].map(
        formatDuration,
      ),
    ).toEqual([
      "0 ms",
      "850 ms",
      "1.0 s",
      "3.2 s",
      "12 s",
      "1 min 5 s",
      "1 min",
      "1 h",
      "2 h 10 min",
      "1 d",
      "3 d 4 h",
    ]);
  });
});
