import { describe, expect, test } from "vitest";
import { plan, progress, run } from "./progress.fixture.ts";
import { progressArea, progressLine } from "./progress-lines.ts";
import { progressRecord } from "./progress-record.ts";
import { plain } from "./style.ts";

describe("progress", () => {
  test("is drawn as an area whose bar tells what is durable from what is read", () => {
    const [title, bar, figures, ...rest] = progressArea(progress, 90_000, 60, plain);
    expect(title).toBe("graph → CIM_PROJECTIONS  run 20260131-120000-abc123  running");
    expect(bar).toBe("██████████▒▒▒▒▒░░░░░  75.0 %  75,000 read, 50,000 durable of 100,000 events");
    expect(figures).toBe("12,346 events/s  ETA 1 min 5 s  1 worker  units 1/2  0 errors  200 MiB  1 min 30 s");
    expect(rest).toEqual([]);
  });

  test("shows entries once they are written, and errors in red", () => {
    const style = (accent: string, text: string) => `<${accent}>${text}`;
    const lines = progressArea({ ...progress, errors: 3, entriesWritten: 20 }, 0, 80, style).join("\n");
    expect(lines).toContain("<red>3 errors");
    expect(lines).toContain("20 of 500 entries written");
  });

  test("never draws more than its bar, and nothing of an empty run", () => {
    const over = progressArea({ ...progress, durableEvents: 200_000, readEvents: 200_000 }, 0, 60, plain)[1];
    expect(over).toContain(`${"█".repeat(20)} 100.0 %`);
    const empty = progressArea({ ...progress, totalEvents: 0, durableEvents: 0, readEvents: 0 }, 0, 60, plain)[1];
    expect(empty).toContain(`${"░".repeat(20)}   0.0 %`);
  });

  test("is one line where there is no terminal", () => {
    expect(progressLine(progress)).toBe(
      "graph 75.0 %, 75,000 read, 50,000 durable of 100,000 events, units 1/2, 0 errors, 12,346 events/s, ETA 1 min 5 s, 1 worker, 200 MiB",
    );
  });

  test("is a record that begins with the runbook's seven fields, of what is durable", () => {
    const record = progressRecord(progress, Date.parse("2026-01-31T12:00:00.500Z"));
    expect(Object.entries(record).slice(0, 7)).toEqual([
      ["domain", "graph"],
      ["total_events", 100_000],
      ["processed_events", 50_000],
      ["progress_percent", 50],
      ["current_rate", 12_346],
      ["estimated_completion", "2026-01-31T12:01:05Z"],
      ["errors", 0],
    ]);
  });

  test("estimates no completion of a run that is not at work", () => {
    const paused = { ...progress, run: { ...run, state: "paused" as const } };
    expect(progressRecord(paused, 0).estimated_completion).toBeNull();
    expect(progressRecord({ ...progress, etaSeconds: null }, 0).estimated_completion).toBeNull();
    expect(progressRecord({ ...progress, totalEvents: 0, plan }, 0).progress_percent).toBe(0);
  });
});
