import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { type UnitRecord, type WorkerProfile, workerProfileSchema } from "@cim-replay/core";
import { type Ledger, type NatsClient, onProfileParts, type ProfilePart, sendControl } from "@cim-replay/nats";

/** Those who come later are asked as well. */
const ASK_EVERY_MS = 1_000;
const LOOK_EVERY_MS = 200;
/** For what is still on its way when the time is over. A worker that sends nothing for so long is lost. */
const PATIENCE_MS = 5_000;
/** A bound on what a compressed profile may grow to. */
const MOST_BYTES = 512 * 1024 * 1024;

export interface Gathered {
  readonly profiles: readonly WorkerProfile[];
  /** Workers that began and whose profile did not come whole. */
  readonly lost: readonly string[];
  readonly wallMs: number;
  readonly endedEarly: boolean;
  /** Share of the time in which units waited and fewer were at work than before: the queue's, or no worker's to take. */
  readonly waitingShare: number;
  readonly mostAtWork: number;
}

interface Incoming {
  readonly workerId: string;
  readonly parts: Uint8Array[];
  expected: number | null;
  sha256: string | null;
}

export interface ProfileRequest {
  readonly runId: string;
  readonly profileId: string;
  readonly durationMs: number;
  readonly signal: AbortSignal;
  /** A worker records. */
  readonly onBegun: (workerId: string) => void;
}

/** Asks the workers of a run for profiles, and puts together what comes; aborted, what there was up to then. */
export async function gatherProfiles(
  { client, ledger }: { client: NatsClient; ledger: Ledger },
  { runId, profileId, durationMs, signal, onBegun }: ProfileRequest,
): Promise<Gathered> {
  const incoming = new Map<string, Incoming>();
  let lastPartAt = performance.now();
  const unsubscribe = onProfileParts(client, profileId, (part) => {
    lastPartAt = performance.now();
    if (!incoming.has(part.recording)) onBegun(part.workerId);
    take(part, incoming);
  });
  try {
    const startedAt = performance.now();
    const looks: { pending: number; running: number }[] = [];
    let askedAt = Number.NEGATIVE_INFINITY;
    let isLive = true;
    for (;;) {
      const left = startedAt + durationMs - performance.now();
      if (left <= 0 || signal.aborted) break;
      const run = await ledger.getRun(runId);
      isLive = run?.record.state === "running";
      if (!isLive) break;
      if (performance.now() - askedAt >= ASK_EVERY_MS) {
        askedAt = performance.now();
        sendControl(client, runId, { kind: "profile", profileId, durationMs: Math.max(1, left) });
        looks.push(countStates(await ledger.listUnits(runId)));
      }
      await sleep(Math.min(LOOK_EVERY_MS, Math.max(1, left)));
    }
    const wallMs = performance.now() - startedAt;
    lastPartAt = performance.now();
    sendControl(client, runId, { kind: "profile-end", profileId });
    while (![...incoming.values()].every(isWhole) && performance.now() - lastPartAt < PATIENCE_MS) {
      await sleep(LOOK_EVERY_MS / 4);
    }
    if (incoming.size === 0) client.denials.throwIfAny(`profile run ${runId}`);
    return { ...(await opened(incoming)), wallMs, endedEarly: !isLive, ...waiting(looks) };
  } finally {
    unsubscribe();
  }
}

function take(part: ProfilePart, incoming: Map<string, Incoming>): void {
  const known = incoming.get(part.recording);
  const one = known ?? { workerId: part.workerId, parts: [], expected: null, sha256: null };
  incoming.set(part.recording, one);
  if (part.sha256 === null || part.index >= part.parts) return;
  one.expected = part.parts;
  one.sha256 = part.sha256;
  one.parts[part.index] = Uint8Array.from(part.body);
}

function isWhole({ parts, expected }: Incoming): boolean {
  return expected !== null && Object.keys(parts).length === expected;
}

async function opened(incoming: ReadonlyMap<string, Incoming>): Promise<Pick<Gathered, "profiles" | "lost">> {
  const profiles: WorkerProfile[] = [];
  const lost: string[] = [];
  for (const one of incoming.values()) {
    const profile = isWhole(one) ? await open(one) : null;
    if (profile) profiles.push(profile);
    else lost.push(one.workerId);
  }
  profiles.sort((a, b) => a.workerId.localeCompare(b.workerId));
  return { profiles, lost };
}

async function open({ parts, sha256 }: Incoming): Promise<WorkerProfile | null> {
  const bytes = Buffer.concat(parts);
  if (createHash("sha256").update(bytes).digest("hex") !== sha256) return null;
  try {
    const text = await promisify(gunzip)(bytes, { maxOutputLength: MOST_BYTES });
    return workerProfileSchema.parse(JSON.parse(text.toString("utf8")));
  } catch {
    return null;
  }
}

function countStates(units: readonly { record: UnitRecord }[]) {
  const count = (state: UnitRecord["state"]) => units.filter(({ record }) => record.state === state).length;
  return { pending: count("pending"), running: count("running") };
}

function waiting(looks: readonly { pending: number; running: number }[]) {
  const mostAtWork = Math.max(0, ...looks.map(({ running }) => running));
  const idle = looks.filter(({ pending, running }) => pending > 0 && (running === 0 || running < mostAtWork)).length;
  return { mostAtWork, waitingShare: idle / Math.max(1, looks.length) };
}
