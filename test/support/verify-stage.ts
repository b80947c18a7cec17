import { compileProjection, type Projection, type Provenance, type RunRecord } from "@cim-replay/core";
import { getEntry } from "@cim-replay/nats";
import {
  type Certificate,
  certifyRun,
  type Level,
  loadRun,
  type RunEvidence,
  verifyDomain,
} from "@cim-replay/verifier";
import { headers } from "nats";
import { afterAll, beforeAll, beforeEach, inject } from "vitest";
import { orderProjection } from "./order-projection.ts";
import { openStage, type Stage, type StagedEvent } from "./stage.ts";

/** Of `openStage` with the order projection, as `resolveProjection` would give it. */
export const staged = {
  ref: { name: orderProjection.name, source: "builtin", path: null, sha256: "test" },
  projection: compileProjection(orderProjection as unknown as Projection),
} as const;

export const added = (id: string, n: number): StagedEvent => ({ id, type: "Added", payload: { n } });

/** The projection refuses it; the decoder refuses the next. */
export const boom = (id: string): StagedEvent => ({ id, type: "Added", payload: { boom: true } });
export const garbage = (id: string): StagedEvent => ({ ...added(id, 0), raw: new Uint8Array([0xff, 0xfe, 0x01]) });

/** `count` events in turn to aggregates `a0`, `a1`, … */
export function events(count: number, aggregates: number, from = 0): StagedEvent[] {
  return Array.from({ length: count }, (_, i) => added(`a${(from + i) % aggregates}`, from + i));
}

/** `change`: what the ledger would say, had somebody tampered with it. */
export async function certify(
  stage: Stage,
  run: RunRecord,
  level: Level = "full",
  change: (evidence: RunEvidence) => Partial<RunEvidence> = () => ({}),
): Promise<Certificate> {
  const evidence = await loadRun(stage.ctx.ledger, run.id);
  return certifyRun({
    ...{ client: stage.client, ledger: stage.ctx.ledger, level, projections: [staged], toolVersion: "0.0.0" },
    ...evidence,
    ...change(evidence),
    signal: new AbortController().signal,
  });
}

export async function verifyStaged(
  stage: Stage,
  options: { run?: RunRecord | null; level?: Level; bucket?: string; useLedger?: boolean } = {},
): Promise<Certificate> {
  const { run = null, level = "full", bucket = stage.bucket, useLedger = true } = options;
  return verifyDomain({
    ...{ client: stage.client, ledger: useLedger ? stage.ctx.ledger : null, level, bucket },
    ...{ domain: "shop", domainSettings: stage.domainSettings, projection: staged, toolVersion: "0.0.0" },
    run: run && (await loadRun(stage.ctx.ledger, run.id)),
    signal: new AbortController().signal,
  });
}

/** Puts a value into a bucket as if whoever wrote entry `from` had put it, with what that says of itself. */
export async function putAs(
  stage: Stage,
  bucket: string,
  { key, value, from, ...changed }: { key: string; value: string | Uint8Array; from: string } & Partial<Provenance>,
): Promise<void> {
  const taken = await getEntry(stage.client, bucket, from);
  const head = headers();
  if (taken?.provenance) {
    const { run, epoch, lastSeq, events: count, sha256 } = { ...taken.provenance, ...changed };
    const pairs = { Run: run, Epoch: epoch, "Last-Seq": lastSeq, Events: count, Sha256: sha256 };
    for (const [name, said] of Object.entries(pairs)) head.set(`Cim-Replay-${name}`, `${said}`);
  }
  await stage.client.js.publish(`$KV.${bucket}.${key}`, value, { headers: head });
}

/** Kinds of what was found, with their keys: short to compare. */
export function foundIn({ discrepancies }: Certificate): string[] {
  return discrepancies.first.map(({ kind, key, partition }) => `${kind} ${key ?? partition ?? "-"}`).sort();
}

export function verdicts({ checks }: Certificate): Record<string, string> {
  return Object.fromEntries(Object.entries(checks).map(([name, { verdict }]) => [name, verdict]));
}

/** With two workers; close it when all is done. */
export async function openVerifyStage(): Promise<Stage> {
  const servers = { natsUrl: inject("natsUrl"), redisUrl: inject("redisUrl") };
  const stage = await openStage({ ...servers, projection: orderProjection as never });
  await stage.addWorkers(2);
  return stage;
}

/** One stage for a file's tests, and for each of them an empty stream and a bucket name of its own. */
export function withVerifyStage(take: (stage: Stage, target: string) => void, isMadeAnew = false): void {
  let stage: Stage;
  let round = 0;
  beforeAll(async () => {
    stage = await openVerifyStage();
  });
  afterAll(() => stage.close());
  beforeEach(async () => {
    take(stage, `${stage.bucket}-${round++}`);
    if (!isMadeAnew) return void (await stage.client.jsm.streams.purge(stage.stream));
    await stage.client.jsm.streams.delete(stage.stream);
    await stage.client.jsm.streams.add({ name: stage.stream, subjects: [`${stage.stream}.>`] });
  });
}
