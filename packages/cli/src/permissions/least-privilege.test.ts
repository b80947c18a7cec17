import { setTimeout as sleep } from "node:timers/promises";
import { type Log, silentLog } from "@cim-replay/core";
import type { ReplayWorker } from "@cim-replay/worker";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { grantsOf, matches, type Role, ROLES } from "./lists.fixture.ts";
import type { CommandResult } from "./run-in-process.fixture.ts";
import {
  type Account,
  addOrphan,
  fill,
  firstEnd,
  forgetEntries,
  openLedger,
  openAccounts,
  startReplay,
  type Variation,
  withWorker,
} from "./theatre.fixture.ts";
import { reviveRun, watchRuns } from "./watch-runs.fixture.ts";

const AT_MOST_MS = 30_000;
const SMALL = { events: 60, payloadBytes: 20 };
/** Only so much makes the server ask whether it may send on. */
const LARGE = { events: 4_000, payloadBytes: 1_000 };

const variations: readonly Variation[] = ROLES.flatMap((role) => [
  { role, without: null },
  ...grantsOf(role).map((without) => ({ role, without })),
]);
let accounts: Awaited<ReturnType<typeof openAccounts>>;

beforeAll(async () => {
  accounts = await openAccounts(variations);
});
afterAll(() => accounts[Symbol.asyncDispose]());

describe.each(ROLES)("the list of the %s", (role) => {
  test("is enough", async () => {
    const { status, said } = await play(accountFor({ role, without: null }));
    expect(said).not.toContain("no permission");
    expect(status).toBe(0);
  });

  test.concurrent.each(grantsOf(role))(
    "takes $kind $subject: without it the work ends with words",
    async (without) => {
      const startedAt = performance.now();
      const { status, said } = await play(accountFor({ role, without }));
      const [, how, subject = ""] = /Cannot [\s\S]*no permission to (\w+) to (\S+)\./.exec(said) ?? [];
      expect({ how, status, said }).toMatchObject({ how: without.kind, status: 1 });
      expect(matches(without.subject, subject), said).toBe(true);
      expect(performance.now() - startedAt).toBeLessThan(AT_MOST_MS);
    },
    AT_MOST_MS + 5_000,
  );
});

function accountFor({ role, without }: Variation): Account {
  const found = accounts.find(
    ({ variation }) =>
      variation.role === role &&
      variation.without?.subject === without?.subject &&
      variation.without?.kind === without?.kind,
  );
  if (!found) throw new Error("no such account");
  return found;
}

function play(account: Account): Promise<CommandResult> {
  return PLAYS[account.variation.role](account);
}

const PLAYS: Readonly<Record<Role, (account: Account) => Promise<CommandResult>>> = {
  async worker(account) {
    await fill(account, SMALL);
    await addOrphan(account);
    try {
      if (account.variation.without?.subject.includes(".profile.")) return await profiledUnheard(account);
      if (needs(account, "CONSUMER") && needs(account, "CHECKPOINTS")) {
        const whole = await resumed(account);
        return account.variation.without === null && whole.status === 0 ? await shuffled(account) : whole;
      }
      if (lacks(account, "SEGMENT")) return await shuffled(account);
      return await withWorker(account, "worker", (worker) => replay(account, worker));
    } catch (error) {
      return { status: 1, said: String(error) };
    }
  },
  async coordinator(account) {
    await fill(account, needs(account, "$JS.FC.") ? LARGE : SMALL);
    if (!needs(account, "STREAM.CREATE.KV_CIM_PROJECTIONS")) await addOrphan(account);
    if (lacks(account, "SEGMENT")) return shuffled(account);
    return withWorker(account, "worker", async (worker) => {
      if (lacks(account, "CONSUMER.LIST")) return replay(account, worker, "--adaptive-rate", "--max-rate", "30");
      if (!needs(account, ".control.")) return replay(account, worker);
      const replaying = replay(account, worker, "--max-rate", account.variation.without ? "30" : "2000");
      for (let i = 0; i < 8; i++) await sleep(200).then(() => process.emit("SIGUSR1"));
      return replaying;
    });
  },
  async verifier(account) {
    await fill(account, needs(account, "$JS.FC.") ? LARGE : SMALL);
    await withWorker(account, "worker", (worker) => replay(account, worker));
    return account.command("verifier", "verify-domain", "--domain", "shop");
  },
  async backup(account) {
    await fill(account, SMALL);
    await withWorker(account, "worker", (worker) => replay(account, worker));
    const file = (name: string) => ["--output", `${account.folder}/${name}.tar.gz`];
    return inTurn(
      account,
      "backup",
      ["backup-projections", "--domain", "shop", ...file("entries")],
      ["backup-events", "--stream", "EVENTS", ...file("events")],
    );
  },
  async restore(account) {
    await fill(account, SMALL);
    await withWorker(account, "worker", (worker) => replay(account, worker));
    const file = `${account.folder}/entries.tar.gz`;
    const kept = await account.command("backup", "backup-projections", "--domain", "shop", "--output", file);
    expect(kept.said).not.toContain("Cannot");
    await forgetEntries(account);
    return account.command("restore", "restore-projections", "--backup", file);
  },
  async "restore-events"(account) {
    await fill(account, needs(account, "$JS.FC.") ? LARGE : SMALL);
    const file = `${account.folder}/events.tar.gz`;
    const kept = await account.command("backup", "backup-events", "--stream", "EVENTS", "--output", file);
    expect(kept.said).not.toContain("Cannot");
    const into = ["--stream", "RESTORED", "--subject-prefix", "restored"];
    return account.command("restore-events", "restore-events", "--backup", file, ...into);
  },
  async checkpoints(account) {
    await fill(account, SMALL);
    await addOrphan(account);
    await openLedger(account);
    const name = ["--name", "kept"];
    const made = await account.command("checkpoints", "create-checkpoint", ...name);
    if (made.status !== 0) return made;
    await addOrphan(account, '{"changed":true}', 1);
    return inTurn(
      account,
      "checkpoints",
      ["list-checkpoints"],
      ["restore-checkpoint", ...name, "--yes"],
      ["delete-checkpoint", ...name, "--yes"],
    );
  },
  async quarantine(account) {
    await fill(account, SMALL);
    await withWorker(account, "worker", (worker) => replay(account, worker));
    await forgetEntries(account);
    return inTurn(
      account,
      "quarantine",
      ["quarantine", "list"],
      ["quarantine", "show", String(SMALL.events + 1)],
      ["quarantine", "discard", "--domain", "shop", "--yes"],
    );
  },
  async profile(account) {
    await fill(account, SMALL);
    return withWorker(account, "worker", (worker) => profiled(account, worker));
  },
  async dashboard(account) {
    await fill(account, SMALL);
    await withWorker(account, "worker", (worker) => replay(account, worker));
    return watchRuns(account, await reviveRun(account));
  },
};

/** One after the other, up to the first that fails; what all of them said. */
async function inTurn(
  { command }: Account,
  user: Role,
  ...commands: readonly (readonly [tool: string, ...args: string[]])[]
): Promise<CommandResult> {
  const said: string[] = [];
  for (const [tool, ...args] of commands) {
    const result = await command(user, tool, ...args);
    said.push(result.said);
    if (result.status !== 0) return { ...result, said: said.join("\n") };
  }
  return { status: 0, said: said.join("\n") };
}

/** A replay that is profiled meanwhile. */
async function profiled(account: Account, worker: ReplayWorker): Promise<CommandResult> {
  const replaying = startReplay(account, "--max-rate", "20");
  while (worker.snapshot().every(({ applied }) => applied === 0)) await sleep(20);
  const flags = ["--duration", "500ms", "--output", `${account.folder}/profile`];
  const result = await account.command("profile", "profile-replay", ...flags);
  await replaying;
  return result;
}

/** Whoever asked hears nothing: what is wrong is in the worker's log. */
async function profiledUnheard(account: Account): Promise<CommandResult> {
  const logged: string[] = [];
  const log: Log = { ...silentLog, warn: (facts) => void logged.push(JSON.stringify(facts)), child: () => log };
  const { status, said } = await withWorker(account, "worker", (worker) => profiled(account, worker), log);
  return { status, said: [said, ...logged].join("\n") };
}

function needs({ variation: { without } }: Account, words: string): boolean {
  return without === null || without.subject.includes(words);
}

/** What is only taken where events are shuffled. */
function lacks({ variation: { without } }: Account, words: string): boolean {
  return without?.subject.toUpperCase().includes(words) ?? false;
}

async function shuffled(account: Account): Promise<CommandResult> {
  if (lacks(account, "PURGE")) return repacked(account);
  const once = await withWorker(account, "worker", (worker) => replay(account, worker, "--source", "shuffle"));
  return account.variation.without === null && once.status === 0 ? repacked(account) : once;
}

/** Another worker begins to pack a slice, and gives it back: who goes on removes what it has stored. */
async function repacked(account: Account): Promise<CommandResult> {
  const replaying = startReplay(account, "--source", "shuffle", "--max-rate", "100");
  await withWorker(account, "admin", async (first) => {
    while (first.snapshot().every(({ unit, readSeq }) => !unit.startsWith("s") || readSeq === 0)) await sleep(20);
  });
  return withWorker(account, "worker", (worker) => firstEnd(account, worker, replaying));
}

/** Another worker begins it, and leaves at a checkpoint. */
async function resumed(account: Account): Promise<CommandResult> {
  const replaying = startReplay(account, "--max-rate", "40");
  await withWorker(account, "admin", async (first) => {
    while (first.snapshot().every(({ applied }) => applied === 0)) await sleep(20);
  });
  return withWorker(account, "worker", (worker) => firstEnd(account, worker, replaying));
}

function replay(account: Account, worker: ReplayWorker, ...flags: string[]): Promise<CommandResult> {
  return firstEnd(account, worker, startReplay(account, ...flags));
}
