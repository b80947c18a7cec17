import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { silentLog } from "@cim-replay/core";
import { connectNats, type Ledger, type NatsClient } from "@cim-replay/nats";
import { uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, vi } from "vitest";
import { coordinatorId, isCoordinated, LeaseKeeper, type LeaseSubject } from "./lease-keeper.ts";
import { openLedger } from "./run.fixture.ts";

let client: NatsClient;
let ledger: Ledger;
let subject: LeaseSubject;

beforeAll(async () => {
  client = await connectNats({ url: inject("natsUrl"), name: "test" });
  ledger = await openLedger(client);
});
afterAll(() => client.close());
beforeEach(() => {
  subject = { domain: uniqueName("domain"), target: "T", runId: "first" };
});

const acquire = (runId: string) => LeaseKeeper.acquire(ledger, { ...subject, runId }, silentLog);

async function leaveBehind(holder: string, runId: string, ttlMs: number): Promise<void> {
  const lease = { version: 1 as const, runId, coordinatorId: holder, renewal: 3, ttlMs };
  expect(await ledger.takeLease(subject.domain, subject.target, lease, null)).not.toBeNull();
}

async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ["-e", ""]);
  await once(child, "exit");
  return child.pid ?? 0;
}

/** The ledger, with an answer of its own to each renewal, which is stored. */
function renewingAs(answer: (stored: number | null) => Promise<number | null>): Ledger {
  const inner = ledger.renewLease.bind(ledger);
  return Object.create(ledger, {
    // Private members are the ledger's own: every method runs on it.
    getLease: { value: ledger.getLease.bind(ledger) },
    takeLease: { value: ledger.takeLease.bind(ledger) },
    releaseLease: { value: ledger.releaseLease.bind(ledger) },
    renewLease: { value: async (...given: Parameters<typeof inner>) => answer(await inner(...given)) },
  }) as Ledger;
}

describe("LeaseKeeper", () => {
  it("refuses a second coordinator and names the first's run", async () => {
    const first = await acquire("first");
    expect(first.takenFrom).toBeNull();
    await expect(acquire("second")).rejects.toThrow(
      /run first is rebuilding domain.* in T .*cancel-replay --run first/,
    );
    expect(await isCoordinated(ledger, subject)).toBe(true);
    expect(await isCoordinated(ledger, { ...subject, runId: "second" })).toBe(false);
    first.assertHeld();
    await first.release();
  });

  it("is free as soon as it is released", async () => {
    await (await acquire("first")).release();
    const startedAt = performance.now();
    const second = await acquire("second");
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(second.takenFrom).toBeNull();
    await second.release();
  });

  it("is free although it is released while a renewal is on its way", async () => {
    const { promise: renewing, resolve } = Promise.withResolvers<void>();
    const slow = renewingAs(async (stored) => {
      resolve();
      // Stored, and the answer is late.
      await sleep(100);
      return stored;
    });
    const keeper = await LeaseKeeper.acquire(slow, subject, silentLog);
    await renewing;
    await keeper.release();
    expect(await ledger.getLease(subject.domain, subject.target)).toBeNull();
    await sleep(1_800);
    expect(await ledger.getLease(subject.domain, subject.target)).toBeNull();
  });

  it("is still held after a renewal that was stored although nobody heard of it", async () => {
    let renewals = 0;
    const deaf = renewingAs(async (stored) => {
      renewals += 1;
      if (renewals === 1) throw new Error("no answer");
      return stored;
    });
    const keeper = await LeaseKeeper.acquire(deaf, subject, silentLog);
    await vi.waitUntil(() => renewals >= 3, { timeout: 10_000 });
    keeper.assertHeld();
    await keeper.release();
    expect(await ledger.getLease(subject.domain, subject.target)).toBeNull();
  });

  it("is taken at once from a holder whose process on this machine is no more", async () => {
    await leaveBehind(`${coordinatorId.split("/")[0]}/${await deadPid()}/x`, "dead", 60_000);
    const keeper = await acquire("next");
    expect(keeper.takenFrom).toBe("dead");
    await keeper.release();
  });

  it("is taken from a holder elsewhere that does not renew for its own length", async () => {
    await leaveBehind("elsewhere/1/x", "dead", 1_000);
    const startedAt = performance.now();
    const keeper = await acquire("next");
    expect(performance.now() - startedAt).toBeGreaterThan(900);
    expect(keeper.takenFrom).toBe("dead");
    await keeper.release();
  });

  it("takes a run's own lease again without calling it another's", async () => {
    await leaveBehind("elsewhere/1/x", "first", 500);
    const keeper = await acquire("first");
    expect(keeper.takenFrom).toBeNull();
    await keeper.release();
  });

  it("renews, and notices that another has taken it", async () => {
    const keeper = await acquire("first");
    await sleep(1_800);
    const held = await ledger.getLease(subject.domain, subject.target);
    expect(held?.record).toMatchObject({ runId: "first", renewal: 1, coordinatorId });
    const other = { version: 1 as const, runId: "thief", coordinatorId: "elsewhere/1/x", renewal: 0, ttlMs: 1_000 };
    await ledger.takeLease(subject.domain, subject.target, other, held?.revision ?? 0);
    keeper.assertHeld();
    await sleep(1_800);
    expect(() => keeper.assertHeld()).toThrow(/run first: another coordinator has taken over/);
    await keeper.release();
    expect((await ledger.getLease(subject.domain, subject.target))?.record.runId).toBe("thief");
  });
});
