import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errorMessage, type Log, silentLog } from "@cim-replay/core";
import { connectNats, ensureBucket, Ledger, putPlainEntry } from "@cim-replay/nats";
import { QUEUE_DEFAULTS } from "@cim-replay/queue";
import { startNats } from "@cim-replay/testkit";
import { loadProjection, type ReplayWorker, startWorker } from "@cim-replay/worker";
import { inject } from "vitest";
import { type Grant, grantsOf, permissionsText, ROLES, type Role } from "./lists.fixture.ts";
import { type CommandResult, runInProcess } from "./run-in-process.fixture.ts";

/** What one login lacks; null: nothing. */
export interface Variation {
  readonly role: Role;
  readonly without: Grant | null;
}

/** One variation's account: streams of its own, and a user for each role, of whom one may do less than its list says. */
export interface Account {
  readonly name: string;
  readonly variation: Variation;
  readonly folder: string;
  url(user: Role | "admin"): string;
  command(user: Role | "admin", tool: string, ...args: string[]): Promise<CommandResult>;
}

const AGGREGATES = 10;

/** A server with an account for each variation. */
export async function openAccounts(variations: readonly Variation[]): Promise<readonly Account[] & AsyncDisposable> {
  await using opened = new AsyncDisposableStack();
  const accounts = variations.map((variation, at) => accountText(`A${at}`, variation)).join("\n");
  const server = opened.adopt(await startNats({ config: `accounts {\n${accounts}\n}` }), (each) => each.stop());
  const folder = opened.adopt(mkdtempSync(join(tmpdir(), "cim-replay-permissions-")), (path) =>
    rmSync(path, { recursive: true }),
  );
  const toClose = opened.move();
  const made = variations.map((variation, at) => account(`A${at}`, variation, server.port, join(folder, `A${at}`)));
  return Object.assign(made, { [Symbol.asyncDispose]: () => toClose.disposeAsync() });
}

function accountText(name: string, { role: lacking, without }: Variation): string {
  const users = ROLES.map((role) => {
    const grants = grantsOf(role).filter((grant) => role !== lacking || !isSame(grant, without));
    return `{ user: "${name}-${role}", password: "p", permissions: ${permissionsText(grants)} }`;
  });
  return `${name} { jetstream: enabled, users: [{ user: "${name}-admin", password: "p" }, ${users.join(", ")}] }`;
}

const isSame = (a: Grant, b: Grant | null) => a.kind === b?.kind && a.subject === b.subject;

function account(name: string, variation: Variation, port: number, folder: string): Account {
  const url = (user: Role | "admin") => `nats://${name}-${user}:p@127.0.0.1:${port}`;
  mkdirSync(folder);
  return {
    ...{ name, variation, folder, url },
    command: (user, tool, ...args) => runInProcess(tool, ["--nats-url", url(user), "--context", "none", ...args]),
  };
}

/** Events of one domain, the last of which cannot be taken; an entry that no event accounts for. */
export async function fill({ url }: Account, { events, payloadBytes }: { events: number; payloadBytes: number }) {
  const client = await connectNats({ url: url("admin"), name: "admin" });
  try {
    await client.jsm.streams.add({ name: "EVENTS", subjects: ["events.>"] });
    const pad = "x".repeat(payloadBytes);
    const acks = Array.from({ length: events }, (_, at) => {
      const id = `a${at % AGGREGATES}`;
      const event = { event_id: `e${at}`, aggregate_id: id, event_type: "Added", payload: { pad } };
      return client.js.publish(
        `events.shop.${id}.Added`,
        JSON.stringify({ ...event, timestamp: "2026-01-01T00:00:00Z" }),
      );
    });
    await Promise.all(acks);
    await client.js.publish("events.shop.bad.Added", "no json");
  } finally {
    await client.close();
  }
}

/** As where nothing was ever replayed or restored. */
export async function forgetEntries({ url }: Account) {
  const client = await connectNats({ url: url("admin"), name: "admin" });
  for (const stream of ["KV_CIM_PROJECTIONS", "CIM_REPLAY_AUDIT"]) await client.jsm.streams.delete(stream);
  await client.close();
}

/** As where a run has been, some time: the ledger is there, and nothing in it. */
export async function openLedger({ url }: Account) {
  const client = await connectNats({ url: url("admin"), name: "admin" });
  await Ledger.open(client, { create: true });
  await client.close();
}

export async function addOrphan({ url }: Account, value = "{}", revision = 0) {
  const client = await connectNats({ url: url("admin"), name: "admin" });
  await ensureBucket(client, "CIM_PROJECTIONS");
  await putPlainEntry(client, "CIM_PROJECTIONS", "shop.orphan", Buffer.from(value), revision);
  await client.close();
}

/** A worker with the login of `user`, for as long as `work` runs. */
export async function withWorker<Result>(
  { url, name }: Account,
  user: Role | "admin",
  work: (worker: ReplayWorker) => Promise<Result>,
  log: Log = silentLog,
): Promise<Result> {
  const client = await connectNats({ url: url(user), name: `worker of ${name}` });
  const queue = { ...QUEUE_DEFAULTS, redisUrl: inject("redisUrl"), prefix: prefixOf(name) };
  const worker = startWorker({ client, queue, workerId: name, concurrency: 1, log, loadProjection });
  try {
    return await work(worker);
  } finally {
    await worker.stop();
    await client.close();
  }
}

const prefixOf = (name: string) => `permissions-${process.pid}-${name}`;

/** How a replay ends, or its worker where that comes first. */
export async function firstEnd(
  account: Account,
  worker: ReplayWorker,
  replaying: Promise<CommandResult>,
): Promise<CommandResult> {
  const unfit = worker.unfit.catch((error: unknown): CommandResult => ({ status: 1, said: errorMessage(error) }));
  const first = await Promise.race([replaying, unfit]);
  // Whoever is left alone is given a worker, so that nothing goes on behind the test.
  await withWorker(account, "admin", () => replaying);
  return first;
}

export function startReplay(account: Account, ...flags: string[]): Promise<CommandResult> {
  return account.command(
    "coordinator",
    "domain-replay",
    ...["--domain", "shop", "--redis-url", inject("redisUrl"), "--queue-prefix", prefixOf(account.name)],
    ...["--metrics-port", "off", "--local-workers", "0", "--parallel", "2", "--skip-errors", "5", "--certify", "full"],
    ...["--prune", "--checkpoint-interval", "20", "--backup-dir", account.folder, ...flags],
  );
}
