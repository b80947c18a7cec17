import { newUnitRecord, type UnitRecord } from "@cim-replay/core";
import { runOf } from "@cim-replay/testkit";
import { describe, expect, it } from "vitest";
import { diagnose } from "./diagnose.ts";
import type { LockFacts } from "./lock-facts.ts";
import { StallWatch } from "./stall-watch.ts";

const NOW = Date.parse("2026-01-01T12:00:00Z");
const at = (secondsAgo: number) => new Date(NOW - secondsAgo * 1_000).toISOString();

function unit(changes: Partial<UnitRecord> = {}): UnitRecord {
  const times = { heartbeatAt: at(0), progressAt: at(1) };
  return { ...newUnitRecord("r", "u7", 1, 1), state: "running", epoch: 1, owner: "w1", ...times, ...changes };
}
const queue = { jobs: [{ unit: "u7", dispatch: 0, state: "waiting" as const }], workers: 1 };

function found(changes: Partial<LockFacts>): string {
  const facts = {
    run: runOf("r"),
    units: [unit()],
    silent: new Set<string>(),
    isCoordinated: true,
    lease: null,
    queue,
  };
  return diagnose({ ...facts, ...changes }, NOW).join("\n");
}

describe("a diagnosis", () => {
  it("finds nothing where workers come further", () => {
    expect(found({})).toBe("");
    expect(found({ run: runOf("r", { state: "completed" }), isCoordinated: false, queue: null })).toBe("");
  });

  it("names the worker that shows life and comes no further, and the one that shows none", () => {
    const stuck = [unit({ progressAt: at(360) })];
    expect(found({ units: stuck })).toContain("Worker w1 has held unit u7 for 6 min without progress");
    expect(found({ units: [unit({ heartbeatAt: at(40) })], silent: new Set(["u7"]) })).toMatch(/w1 .*no life for 40 s/);
  });

  it("says where the process is that is to be ended, where the worker's name tells it", () => {
    const silent = (owner: string) => found({ units: [unit({ owner })], silent: new Set(["u7"]) });
    expect(silent("node-7-4711")).toContain("(on host node-7: `kill -9 4711`)");
    expect(silent("node-7-4711-w2")).toContain(
      "(on host node-7, a child of process 4711: `pgrep -a -P 4711` names it)",
    );
    expect(silent("w1")).not.toContain("host");
  });

  it("tells pending units without worker, without job, without Redis, and that nobody takes, apart", () => {
    const units = [unit({ state: "pending", owner: null })];
    expect(found({ units, queue: { ...queue, workers: 0 } })).toMatch(
      /^No worker is connected while unit u7 is pending/,
    );
    expect(found({ units, queue: { jobs: [], workers: 1 } })).toMatch(/^Redis is empty while unit u7 is pending/);
    expect(found({ units, queue: null })).toMatch(/^Redis cannot be reached/);
    expect(found({ units })).toContain("are connected and take nothing");
    expect(found({ units: [...units, unit({ id: "u8" })] })).toBe("");
  });

  it("says that nobody coordinates, that a run is paused, and why one failed", () => {
    expect(found({ isCoordinated: false })).toMatch(/^No coordinator .*event-replay --resume --run r/);
    expect(found({ run: runOf("r", { state: "paused" }) })).toContain("resume-replay --run r");
    expect(found({ run: runOf("r", { state: "failed", reason: "A gap." }) })).toContain("failed: A gap.");
  });
});

describe("a stall", () => {
  it("is told once, and again only after progress; heartbeats are none, and a paused run has none", () => {
    const watch = new StallWatch(300_000);
    const see = (changes: Partial<UnitRecord>, nowMs: number, isAtWork = true) =>
      watch.see([unit(changes)], isAtWork, nowMs);
    expect(see({ heartbeat: 1 }, 1_000)).toBe(false);
    expect(see({ heartbeat: 2 }, 300_999)).toBe(false);
    expect(see({ heartbeat: 3 }, 301_000)).toBe(true);
    expect(see({ heartbeat: 4 }, 900_000)).toBe(false);
    expect(see({ cursorSeq: 5 }, 901_000)).toBe(false);
    expect(see({ cursorSeq: 5 }, 1_201_000)).toBe(true);
    expect(see({ cursorSeq: 6 }, 1_300_000)).toBe(false);
    expect(see({ cursorSeq: 6 }, 1_700_000, false)).toBe(false);
    expect(see({ cursorSeq: 6 }, 1_900_000)).toBe(false);
  });
});
