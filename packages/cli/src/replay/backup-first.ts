import { mkdir, readdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import {
  entryKey,
  errorMessage,
  type Plan,
  planFor,
  ReplayError,
  type RunBackup,
  type RunSettings,
  targetsOf,
} from "@cim-replay/core";
import { countKeys, lastRevision, type NatsClient } from "@cim-replay/nats";
import { progressNotes } from "../archives/progress-notes.ts";
import { toolVersion } from "../output/tool-version.ts";
import type { Settings } from "../settings/definitions.ts";

interface BackupTask {
  readonly settings: Pick<Settings, "backupFirst" | "backupDir" | "backupKeep">;
  readonly run: RunSettings;
  readonly plan: Plan;
  readonly note: (line: string) => void;
}

/**
 * Keeps what each target holds of the run's domain (or aggregate) in an archive of its own, before the run is begun. Throws
 * where that fails, or where a target is no longer as it was planned with: the run must not be begun then.
 */
export async function backUpFirst(client: NatsClient, task: BackupTask): Promise<RunBackup[]> {
  const backups: RunBackup[] = [];
  for (const [at, { bucket }] of targetsOf(task.run).entries()) {
    const run = { ...task.run, target: bucket, otherTargets: [] };
    backups.push(await backUpTarget(client, { ...task, run, plan: planFor(task.plan, at) }));
  }
  return backups;
}

async function backUpTarget(client: NatsClient, task: BackupTask): Promise<RunBackup> {
  const { settings, run, plan } = task;
  if (settings.backupFirst === false) return without("none was asked for");
  if (settings.backupFirst === "auto" && run.aggregateId !== null) return without("one aggregate is replayed alone");
  const filter = run.aggregateId === null ? filterOf(run.domain) : entryKey(run.domain, run.aggregateId);
  const isEmpty = plan.target.lastRevision === 0 || (await countKeys(client, run.target, filter)) === 0;
  if (isEmpty) return without("the target held no entry of it");
  const file = join(await madeFolder(settings.backupDir), nameOf(run, plan.runId));
  const entries = await keep(client, task, file).catch((error: unknown) => {
    throw notBegun(error);
  });
  if (entries === 0) {
    await rm(file, { force: true });
    return without("the target held no entry of it");
  }
  await requirePlanned(client, run, plan, filter);
  await dropOld(settings, run, task.note);
  return { file, note: null };
}

function without(note: string): RunBackup {
  return { file: null, note };
}

async function keep(client: NatsClient, { run, note }: BackupTask, output: string): Promise<number> {
  const { target: bucket, aggregateId } = run;
  const domain = { name: run.domain, settings: run.domainSettings };
  const of = { bucket, output, toolVersion: toolVersion() };
  // Not loaded by the many runs that have nothing to keep.
  const { backupAggregate, keepMoment } = await import("@cim-replay/archive");
  const { manifest } =
    aggregateId === null
      ? await keepMoment(client, {
          ...{ ...of, domains: [domain], wholeBucket: false, attempts: 2 },
          onProgress: progressNotes(note, "entries backed up"),
        })
      : await backupAggregate(client, { ...of, domain, aggregateId, signal: new AbortController().signal });
  return manifest.entries;
}

/** A writer between plan and backup would be found by the run too, entry by entry; here nothing is written yet. */
async function requirePlanned(client: NatsClient, run: RunSettings, plan: Plan, filter: string): Promise<void> {
  const revision = await lastRevision(client, run.target, filter);
  if (revision <= plan.target.lastRevision) return;
  throw new ReplayError(
    `Cannot begin the replay of ${run.domain} in bucket ${run.target}: somebody is writing its entries (revision ${revision} came while they were backed up). Stop the service that projects this domain, or name another --target.`,
  );
}

async function madeFolder(named: string): Promise<string> {
  const folder = resolve(named);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return folder;
  } catch (error) {
    throw notBegun(
      new ReplayError(`Cannot make folder ${folder}: ${errorMessage(error)}. Name another with --backup-dir.`),
    );
  }
}

function notBegun(error: unknown): unknown {
  if (!(error instanceof ReplayError)) return error;
  error.message = `${error.message} Nothing was begun, as no backup could be made first; --no-backup-first does without.`;
  return error;
}

function filterOf(domain: string): string {
  return entryKey(domain, "x").replace(/x$/, ">");
}

/** Sorts by time within what it is of: bucket, domain, and the aggregate where there is one. */
function nameOf(run: RunSettings, runId: string): string {
  return `${prefixOf(run)}${runId}.tar.gz`;
}

function prefixOf({ target, domain, aggregateId }: RunSettings): string {
  const key = aggregateId === null ? filterOf(domain).slice(0, -2) : entryKey(domain, aggregateId);
  return `${target}.${key.replaceAll("/", "=2F")}.`.slice(0, LONGEST_PREFIX);
}

/** Of a name on usual file systems, without the run's id and what stands around it while it is written. */
const LONGEST_PREFIX = 180;
const REST = /^\d{8}-\d{6}-[0-9a-z]+\.tar\.gz$/;

/** Old backups of the same entries. One that cannot be removed is said, and stops nothing. */
async function dropOld(
  { backupDir, backupKeep }: BackupTask["settings"],
  run: RunSettings,
  note: (line: string) => void,
): Promise<void> {
  if (backupKeep === null) return;
  const folder = resolve(backupDir);
  const prefix = prefixOf(run);
  const isSame = (name: string) => name.startsWith(prefix) && REST.test(name.slice(prefix.length));
  try {
    const old = (await readdir(folder)).filter(isSame).sort().slice(0, -backupKeep);
    for (const name of old) await rm(join(folder, name), { force: true });
    if (old.length > 0) note(`Old backups were deleted from ${folder}: ${old.join(", ")}.`);
  } catch (error) {
    note(`Old backups in ${folder} cannot be deleted: ${errorMessage(error)}.`);
  }
}
