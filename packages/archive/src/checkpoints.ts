import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { errorMessage, ReplayError, UsageError } from "@cim-replay/core";
import { FileStore, type NatsClient } from "@cim-replay/nats";
import { checkName, factsOf, type NamedCheckpoint, readFacts } from "./checkpoint-facts.ts";
import { keepMoment, type MomentOptions } from "./keep-moment.ts";
import { type CheckedArchive, openArchive } from "./read-archive.ts";
import type { WrittenArchive } from "./write-archive.ts";

/** The object store that holds them, for every machine that reaches the server. */
export const CHECKPOINT_STORE = "CIM_REPLAY_NAMED_CHECKPOINTS";

/** What is without a name for so long is no checkpoint that is being made. */
const LEFT_ALONE_MS = 24 * 3_600_000;

export interface CheckpointOptions extends Omit<MomentOptions, "output"> {
  readonly name: string;
  readonly automatic: boolean;
}

/** Throws UsageError where the name cannot be one, or is taken. */
export async function createCheckpoint(client: NatsClient, options: CheckpointOptions): Promise<WrittenArchive> {
  const { name, automatic } = options;
  checkName(name);
  const store = await openStore(client, true);
  if (await store.find(name)) throw taken(name);
  await store.sweep(LEFT_ALONE_MS);
  return withFolder(async (folder) => {
    const output = join(folder, `${name}.tar.gz`);
    const written = await keepMoment(client, { ...options, output });
    if (await sent(store, output, factsOf(written, automatic), options)) return written;
    throw taken(name);
  });
}

/** What an interrupted one has sent by then has no name, and is swept away later. */
async function sent(
  store: FileStore,
  path: string,
  facts: ReturnType<typeof factsOf>,
  { name, signal }: CheckpointOptions,
): Promise<boolean> {
  try {
    return await store.put(name, createReadStream(path, signal && { signal }), facts);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

/** Oldest first; and the names of what lies there and is none of this version's. */
export async function listCheckpoints(
  client: NatsClient,
): Promise<{ checkpoints: readonly NamedCheckpoint[]; strange: readonly string[] }> {
  const store = await FileStore.open(client, CHECKPOINT_STORE, { create: false });
  const checkpoints: NamedCheckpoint[] = [];
  const strange: string[] = [];
  for (const file of (await store?.list()) ?? []) {
    const checkpoint = readFacts(file);
    if (checkpoint) checkpoints.push(checkpoint);
    else strange.push(file.name);
  }
  const at = ({ taken_at }: NamedCheckpoint) => Date.parse(taken_at);
  return { checkpoints: checkpoints.sort((a, b) => at(a) - at(b)), strange };
}

/** Fetches the checkpoint's archive, checks all of it, and hands it to `work`. Throws UsageError where there is none. */
export async function withCheckpoint<Result>(
  client: NatsClient,
  name: string,
  work: (archive: CheckedArchive) => Promise<Result>,
): Promise<Result> {
  checkName(name);
  const store = await FileStore.open(client, CHECKPOINT_STORE, { create: false });
  if (!(await store?.find(name)) || !store) throw missing(name);
  return withFolder(async (folder) => {
    const path = join(folder, `${name}.tar.gz`);
    await pipeline(store.read(name), createWriteStream(path, { mode: 0o600 }));
    await using archive = await openArchive(path);
    return await work(archive);
  });
}

/** Throws UsageError where there is none. */
export async function deleteCheckpoint(client: NatsClient, name: string): Promise<void> {
  checkName(name);
  const store = await FileStore.open(client, CHECKPOINT_STORE, { create: false });
  if (!(await store?.remove(name))) throw missing(name);
}

/** Deletes the oldest automatic ones of a bucket, so that `keep` of them stay; their names. */
export async function dropOldAutomatic(client: NatsClient, bucket: string, keep: number): Promise<readonly string[]> {
  const { checkpoints } = await listCheckpoints(client);
  const own = checkpoints.filter((each) => each.automatic && each.bucket === bucket);
  const old = own.slice(0, Math.max(0, own.length - keep)).map(({ name }) => name);
  const store = await FileStore.open(client, CHECKPOINT_STORE, { create: false });
  for (const name of old) await store?.remove(name);
  return old;
}

async function openStore(client: NatsClient, create: true): Promise<FileStore> {
  const store = await FileStore.open(client, CHECKPOINT_STORE, { create });
  if (store) return store;
  throw new ReplayError(`Cannot open object store ${CHECKPOINT_STORE}: it was deleted at once. Stop what deletes it.`);
}

/** On this machine's disk, for nobody else, and gone afterwards. */
async function withFolder<Result>(work: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await madeFolder();
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function madeFolder(): Promise<string> {
  try {
    return await mkdtemp(join(tmpdir(), "cim-replay-checkpoint-"));
  } catch (cause) {
    throw new ReplayError(
      `Cannot make a folder in ${tmpdir()}: ${errorMessage(cause)}. Name another with the variable TMPDIR.`,
      { cause },
    );
  }
}

function taken(name: string): UsageError {
  return new UsageError(
    `Cannot create checkpoint ${name}: there is one of that name. Give another --name, or delete it with \`delete-checkpoint --name ${name}\`.`,
  );
}

function missing(name: string): UsageError {
  return new UsageError(`Cannot find checkpoint ${name}: there is none of that name. See \`list-checkpoints\`.`);
}
