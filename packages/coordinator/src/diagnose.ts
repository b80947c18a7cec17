import { formatCount, formatDuration, type RunRecord, type UnitRecord } from "@cim-replay/core";
import { holderText } from "./lease-keeper.ts";
import type { LockFacts } from "./lock-facts.ts";

/** A worker that shows life but comes no further for so long is worth a word. */
const STUCK_MS = 60_000;

/** What is wrong with a run, in words, each with what to do; empty where nothing is. Ages go by the workers' clocks. */
export function diagnose(facts: LockFacts, nowMs: number): string[] {
  const { run } = facts;
  if (run.state === "completed" || run.state === "cancelled") return [];
  if (run.state === "failed") {
    return [
      `The run has failed: ${run.reason ?? "no reason was kept."} Go on with \`event-replay --resume --run ${run.id}\`.`,
    ];
  }
  if (run.state === "paused") return facts.isCoordinated ? [paused(run)] : [abandoned(facts)];
  return [...(facts.isCoordinated ? [] : [abandoned(facts)]), ...aboutQueue(facts), ...aboutOwners(facts, nowMs)];
}

function paused({ id }: RunRecord): string {
  return `The run is paused, and its coordinator waits. Let it go on with \`resume-replay --run ${id}\`.`;
}

function abandoned({ run, lease }: LockFacts): string {
  const other = lease && lease.runId !== run.id ? `; ${holderText(lease.runId)} holds its domain and target` : "";
  return `No coordinator is at this run any more${other}. Go on with \`event-replay --resume --run ${run.id}\`.`;
}

function aboutQueue({ queue, units }: LockFacts): string[] {
  const pending = units.filter(({ state }) => state === "pending");
  if (queue === null) {
    return ["Redis cannot be reached: units that wait are not handed out. Start it again; nothing is lost."];
  }
  if (pending.length === 0) return [];
  const which = pending.length === 1 ? `unit ${pending[0]?.id} is` : `${formatCount(pending.length)} units are`;
  if (queue.jobs.length === 0) {
    return [
      `Redis is empty while ${which} pending. The coordinator sends them again within seconds; where it does not, ` +
        "check that it uses the same REDIS_URL and --queue-prefix as this command.",
    ];
  }
  if (queue.workers === 0) {
    return [
      `No worker is connected while ${which} pending. Start one with \`cim-replay-worker\`, on the same servers.`,
    ];
  }
  const isAnyAtWork = units.some(({ state }) => state === "running");
  if (isAnyAtWork || queue.jobs.some(({ state }) => state === "active")) return [];
  return [
    `${formatCount(queue.workers)} workers are connected and take nothing, while ${which} pending: see their logs.`,
  ];
}

function aboutOwners({ units, silent }: LockFacts, nowMs: number): string[] {
  const texts = units.filter(({ state }) => state === "running").map((unit) => aboutOwner(unit, silent, nowMs, units));
  return texts.filter((text) => text !== null);
}

function aboutOwner(
  unit: UnitRecord,
  silent: ReadonlySet<string>,
  nowMs: number,
  units: readonly UnitRecord[],
): string | null {
  const { id, owner, heartbeatAt, live } = unit;
  if (silent.has(id)) {
    return (
      `Worker ${owner} has unit ${id} and has shown no life for ${ageText(heartbeatAt, nowMs)}: it is dead, stopped, or cut off. ` +
      `Another worker takes the unit over when one is free; end the process if it hangs${whereIs(owner)}.`
    );
  }
  const waitsForSlices =
    unit.kind === "partition" && units.some(({ kind, state }) => kind === "slice" && state !== "done");
  const { progressAt } = unit;
  if (waitsForSlices) return null;
  if (progressAt === null || nowMs - Date.parse(progressAt) < STUCK_MS) return null;
  return (
    `Worker ${owner} has held unit ${id} for ${ageText(progressAt, nowMs)} without progress: its heartbeat comes, but it reads and ` +
    `writes nothing after sequence ${formatCount(Math.max(live.readSeq, unit.cursorSeq))}. See its log, and whether NATS is overloaded; then ` +
    `end that worker${whereIs(owner)}: another goes on from the last checkpoint.`
  );
}

/** Which process a worker is, where its id tells: HOST-PID. One that a command runs, HOST-PID-wN, tells that command's pid. */
function whereIs(owner: string | null): string {
  const parts = /^(?<host>.+)-(?<pid>\d+)(?<managed>-w\d+)?$/.exec(owner ?? "")?.groups;
  if (!parts) return "";
  const { host, pid, managed } = parts;
  if (managed === undefined) return ` (on host ${host}: \`kill -9 ${pid}\`)`;
  return ` (on host ${host}, a child of process ${pid}: \`pgrep -a -P ${pid}\` names it)`;
}

/** At least a second: clocks of two machines may differ. */
export function ageText(at: string, nowMs: number): string {
  return formatDuration(Math.max(1_000, Math.round((nowMs - Date.parse(at)) / 1_000) * 1_000));
}
