import type { WorkerProfile } from "@cim-replay/core";
import { type ActivityMs, activitiesOf } from "./activity.ts";
import type { Gathered } from "./gather.ts";
import { judge, rate, type Totals, totalsOf, type Verdict } from "./verdict.ts";

export interface ProfileReport {
  readonly run: { readonly id: string; readonly domain: string };
  readonly profiles: readonly WorkerProfile[];
  /** Of each profile. */
  readonly activities: readonly ActivityMs[];
  readonly totals: Totals;
  readonly verdict: Verdict;
  readonly endedEarly: boolean;
  readonly notes: readonly string[];
}

export function reportOf(run: ProfileReport["run"], gathered: Gathered): ProfileReport {
  const totals = totalsOf(gathered);
  const notes = gathered.lost.map((workerId) => `Worker ${workerId} began a profile and did not send it: it has gone.`);
  return {
    run,
    profiles: gathered.profiles,
    activities: gathered.profiles.map(({ cpuProfile }) => activitiesOf(cpuProfile)),
    totals,
    verdict: judge(gathered, totals),
    endedEarly: gathered.endedEarly,
    notes,
  };
}

export interface WrittenFiles {
  readonly page: string;
  readonly profiles: readonly string[];
}

export function reportText(
  { run, verdict, totals, endedEarly, profiles, notes }: ProfileReport,
  files: WrittenFiles,
): string {
  const seconds = `${totals.seconds.toFixed(1)} s${endedEarly ? ", then the run's reading ended" : ""}`;
  return [
    `Run ${run.id} of ${run.domain} is limited by: ${verdict.limit}`,
    `  ${verdict.because}`,
    `  ${verdict.advice}`,
    `Profiled ${new Set(profiles.map(({ workerId }) => workerId)).size} workers for ${seconds}; ${rate(totals.eventsPerSecond)}.`,
    ...notes,
    `Page: ${files.page}`,
    ...files.profiles.map((file) => `Profile: ${file}`),
    "",
  ].join("\n");
}

export function reportJson(report: ProfileReport, files: WrittenFiles): object {
  const { run, verdict, totals, endedEarly, notes } = report;
  return {
    run_id: run.id,
    domain: run.domain,
    limit: verdict.limit,
    because: verdict.because,
    advice: verdict.advice,
    seconds: totals.seconds,
    ended_early: endedEarly,
    messages_per_second: totals.eventsPerSecond,
    activity_ms: totals.activities,
    stage_ms: totals.stages,
    notes,
    workers: report.profiles.map((profile, at) => workerJson(profile, report.activities[at])),
    files,
  };
}

function workerJson(profile: WorkerProfile, activities: ActivityMs | undefined): object {
  const { workerId, endedBy, wallMs, cpuMs, stages, delivered, applied, entriesWritten, eventLoop, gc } = profile;
  return {
    worker: workerId,
    ended_by: endedBy,
    wall_ms: wallMs,
    cpu_ms: cpuMs,
    activity_ms: activities,
    stage_ms: stages,
    delivered,
    applied,
    entries_written: entriesWritten,
    recoveries: profile.recoveries,
    event_loop: eventLoop,
    gc,
    in_flight_bytes: profile.inFlightBytes,
    memory_max_bytes: profile.rssMaxBytes,
    received: profile.received,
    rtt_ms: profile.rttMs,
  };
}
