import type { LiveConsumer } from "@cim-replay/nats";
import { describe, expect, test } from "vitest";
import { adapt, type AdaptiveState, resumed, stated, UNLIMITED } from "./adaptive-rate.ts";

const LOOK_MS = 400;

/** Someone else's server: what a run's rate does to its latency and to a consumer, look by look. */
interface World {
  apiMs(rate: number): number | null;
  /** By how much its pending changes a second. */
  consumer?: { rises(rate: number): number; isAwaited: boolean; advances: boolean; pending: number };
}

const QUIET: World = { apiMs: () => 2 };
/** As fast as the workers can. */
const BEST = 10_000;

function live(world: World, seconds: number, from: AdaptiveState = UNLIMITED, ceiling: number | null = null) {
  const rates: number[] = [];
  const reasons = new Set<string>();
  // Looked at before the run begins.
  let state = [0, 1].reduce((before, at) => {
    const apiMs = world.apiMs(0);
    const look = { atMs: at * LOOK_MS, signals: apiMs === null ? null : { apiMs, consumers: [] }, eventsPerSecond: 0 };
    return adapt(before, look);
  }, from);
  let pending = world.consumer?.pending ?? 0;
  for (let atMs = 0; atMs <= seconds * 1_000; atMs += LOOK_MS) {
    const rate = Math.min(BEST, state.maxRate ?? BEST, ceiling ?? BEST);
    const { consumer } = world;
    pending = Math.max(0, pending + ((consumer?.rises(rate) ?? 0) * LOOK_MS) / 1_000);
    const consumers: LiveConsumer[] = consumer
      ? [{ name: "ORDERS", pending, progress: consumer.advances ? atMs : 0, isAwaited: consumer.isAwaited }]
      : [];
    const apiMs = world.apiMs(rate);
    const signals = apiMs === null ? null : { apiMs, consumers };
    state = adapt(state, { atMs: 1e6 + atMs, signals, eventsPerSecond: rate }, ceiling);
    rates.push(state.maxRate ?? BEST);
    if (state.reason !== null) reasons.add(state.reason);
  }
  return { state, rates, reasons: [...reasons], pending };
}

describe("a rate that adapts", () => {
  test("is none while nobody suffers", () => {
    expect(live(QUIET, 60).rates.every((rate) => rate === BEST)).toBe(true);
  });

  test("falls while JetStream answers slowly, and settles where it does not", () => {
    // Slow above 3,000 events a second.
    const { rates, reasons } = live({ apiMs: (rate) => (rate > 3_000 ? 200 : 2) }, 120);
    const settled = rates.slice(rates.length / 2);
    expect(Math.min(...settled)).toBeGreaterThanOrEqual(1_000);
    expect(Math.max(...settled)).toBeLessThan(4_000);
    expect(reasons).toEqual(["JetStream answers in 200 ms, at best in 2 ms"]);
  });

  test("takes an answer that does not come for the worst", () => {
    const { rates, reasons } = live({ apiMs: () => null }, 30);
    expect(rates.at(-1)).toBe(BEST * 0.02);
    expect(reasons).toEqual(["JetStream does not answer"]);
  });

  test("falls while a consumer falls behind, and leaves it time to catch up", () => {
    // It takes 4,000 a second more than what comes, less what the run takes of the server.
    const rises = (rate: number) => rate - 4_000;
    const { rates, pending, reasons } = live(
      { apiMs: () => 2, consumer: { rises, isAwaited: true, advances: true, pending: 0 } },
      120,
    );
    expect(reasons[0]).toMatch(/^consumer ORDERS falls behind: \d+ messages wait for it, \d+ before$/);
    const settled = rates.slice(rates.length / 2);
    expect(Math.max(...settled)).toBeLessThan(6_000);
    expect(pending).toBeLessThan(20_000);
  });

  test("does not care for a consumer that nobody takes from", () => {
    const abandoned = { rises: () => 5_000, isAwaited: false, advances: false, pending: 0 };
    expect(live({ ...QUIET, consumer: abandoned }, 30).state.maxRate).toBeNull();
  });

  test("is let go when the suffering has ended, step by step", () => {
    const { state } = live({ apiMs: () => null }, 10);
    const { rates, state: after } = live(QUIET, 60, { ...state, changedAtMs: 0 });
    expect(rates.every((rate, at) => at === 0 || rate >= (rates[at - 1] ?? 0))).toBe(true);
    expect(new Set(rates).size).toBeGreaterThan(5);
    expect(after).toMatchObject({ maxRate: null, reason: null });
  });

  test("needs no more than what is asked for anyway", () => {
    const { state } = live({ apiMs: () => null }, 4, UNLIMITED, 2_000);
    const { state: after } = live(QUIET, 60, { ...state, changedAtMs: 0 }, 2_000);
    expect(after.maxRate).toBeNull();
  });

  test("does not slow a run that has done nothing yet", () => {
    const look = { atMs: 5_000, signals: null, eventsPerSecond: 0 };
    expect(adapt(UNLIMITED, look).maxRate).toBeNull();
  });

  test("goes on with what it was when its coordinator was lost, and is let go when it may be as fast as before", () => {
    const held = live({ apiMs: (rate) => (rate > 3_000 ? 200 : 2) }, 20).state;
    expect(held.maxRate).not.toBeNull();
    const again = resumed(stated(held), 1e6);
    const early = live(QUIET, 4, again);
    expect(early.rates.every((rate) => rate < BEST)).toBe(true);
    expect(live(QUIET, 240, again).state.maxRate).toBeNull();
  });

  test("a server that was always slow is no worse for the run", () => {
    expect(live({ apiMs: () => 300 }, 60).state.maxRate).toBeNull();
  });
});
