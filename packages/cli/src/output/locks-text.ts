import { ageText, type LockFacts } from "@cim-replay/coordinator";
import { bucketsOf, formatCount, type UnitRecord } from "@cim-replay/core";
import type { ReadConsumer } from "@cim-replay/nats";
import { renderFacts, renderTable } from "./table.ts";

/** The diagnosis first; below it, where `consumers` were asked for, who holds what. */
export function locksText(
  facts: LockFacts,
  diagnosis: readonly string[],
  consumers: readonly ReadConsumer[] | null,
  nowMs: number,
): string {
  const { run } = facts;
  const title = `run ${run.id} of ${run.settings.domain} into ${bucketsOf(run.settings).join(", ")}: ${run.state}`;
  const found = diagnosis.length > 0 ? diagnosis.map((line) => `! ${line}`) : ["Nothing is wrong."];
  if (consumers === null) return [title, "", ...found].join("\n");
  return [
    ...[title, "", ...found, "", holdersText(facts), "", unitsText(facts, nowMs), ""],
    consumers.length === 0 ? "No consumers of readers are on the stream." : consumersText(consumers, nowMs),
  ].join("\n");
}

export function locksJson(
  { run, units, silent, lease, isCoordinated, queue }: LockFacts,
  diagnosis: readonly string[],
  consumers: readonly ReadConsumer[] | null,
): object {
  const locks = consumers && {
    lease: lease && { holder: lease.runId, coordinator: lease.coordinatorId, renewal: lease.renewal },
    queue: queue && { ...jobCounts(queue), workers: queue.workers },
    units: units.map((unit) => unitJson(unit, silent)),
    consumers: consumers.map(({ name, createdAt, deliveredSeq, pending, requests }) => ({
      ...{ name, created_at: createdAt, delivered_seq: deliveredSeq, pending, requests },
    })),
  };
  const of = {
    run_id: run.id,
    domain: run.settings.domain,
    target: bucketsOf(run.settings).join(", "),
    state: run.state,
  };
  return { ...of, coordinated: isCoordinated, redis: queue !== null, diagnosis, ...(locks && { locks }) };
}

function holdersText({ lease, isCoordinated, queue }: LockFacts): string {
  const jobs = queue && jobCounts(queue);
  const renewal = isCoordinated ? "is renewed" : "is not renewed for this run";
  return renderFacts([
    ["lease", lease === null ? "nobody has it" : `${lease.runId}, by ${lease.coordinatorId}; it ${renewal}`],
    ["queue", jobs ? `${jobs.waiting} waiting, ${jobs.active} active, ${jobs.delayed} delayed` : "Redis is away"],
    ["workers", queue ? `${formatCount(queue.workers)} connected` : "–"],
  ]);
}

function unitsText({ units, silent }: LockFacts, nowMs: number): string {
  const held = (unit: UnitRecord, at: string | null) =>
    unit.state === "running" && at !== null ? ageText(at, nowMs) : "–";
  return renderTable<UnitRecord>(
    [
      { title: "unit", value: ({ id }) => id },
      { title: "state", value: ({ state }) => state },
      { title: "epoch", align: "right", value: ({ epoch }) => String(epoch) },
      { title: "durable to", align: "right", value: ({ cursorSeq }) => formatCount(cursorSeq) },
      { title: "read to", align: "right", value: (unit) => formatCount(Math.max(unit.live.readSeq, unit.cursorSeq)) },
      { title: "heartbeat", align: "right", value: (unit) => held(unit, unit.heartbeatAt) },
      { title: "progress", align: "right", value: (unit) => held(unit, unit.progressAt) },
      { title: "worker", value: (unit) => `${unit.owner ?? "–"}${silent.has(unit.id) ? " (silent)" : ""}` },
    ],
    units,
  );
}

function consumersText(consumers: readonly ReadConsumer[], nowMs: number): string {
  return renderTable<ReadConsumer>(
    [
      { title: "consumer", value: ({ name }) => name },
      { title: "delivered to", align: "right", value: ({ deliveredSeq }) => formatCount(deliveredSeq) },
      { title: "pending", align: "right", value: ({ pending }) => formatCount(pending) },
      { title: "requests", align: "right", value: ({ requests }) => String(requests) },
      { title: "age", align: "right", value: ({ createdAt }) => ageText(createdAt, nowMs) },
    ],
    consumers,
  );
}

function unitJson(unit: UnitRecord, silent: ReadonlySet<string>): object {
  const { id, kind, state, epoch, owner, cursorSeq, heartbeatAt, progressAt, live } = unit;
  const times = { heartbeat_at: heartbeatAt, progress_at: progressAt, silent: silent.has(id) };
  return { id, kind, state, epoch, owner, cursor_seq: cursorSeq, read_seq: live.readSeq, ...times };
}

function jobCounts({ jobs }: NonNullable<LockFacts["queue"]>): { waiting: number; active: number; delayed: number } {
  const count = (state: string) => jobs.filter((job) => job.state === state).length;
  return { waiting: count("waiting"), active: count("active"), delayed: count("delayed") };
}
