import type { HotAggregate, Plan, RunRecord, UnitRecord } from "@cim-replay/core";

/** What a run has come to at one moment, as the coordinator puts it together. */
export interface RunFigures {
  readonly run: RunRecord;
  readonly plan: Plan;
  /** Units that pack slices for those that fold; null where these read the stream themselves. */
  readonly slices: { readonly done: number; readonly total: number } | null;
  readonly totalEvents: number;
  /** What a crash now would leave. */
  readonly durableEvents: number;
  readonly readEvents: number;
  readonly eventsPerSecond: number;
  readonly lagSeconds: number | null;
  readonly etaSeconds: number | null;
  /** Events in the quarantine, and units that failed. */
  readonly errors: number;
  readonly entriesWritten: number;
  readonly entriesTotal: number | null;
  readonly workers: number;
  /** The largest of the workers. */
  readonly memoryBytes: number;
  readonly checkpoints: number;
  /** One aggregate with a large share of all events. */
  readonly hot: HotAggregate | null;
}

export interface RunLook {
  readonly figures: RunFigures;
  readonly units: readonly UnitRecord[];
  /** It is at work by its record, and nobody coordinates it any more. */
  readonly isAbandoned: boolean;
}

/** Looks at one run again and again: rates are against the look before. */
export interface RunWatch {
  /** Throws ReplayError where the ledger has no such run. */
  look(): Promise<RunLook>;
  close(): void;
}

/** A replay as somebody fills it in: text as typed, by the names of the flags that it stands for. */
export type ReplayForm = Readonly<Record<string, string>>;

export interface Preview {
  readonly plan: Plan;
  /** What would do the same in a terminal. */
  readonly command: string;
}

/** A process that the dashboard started. */
export interface StartedProcess {
  readonly id: string;
  readonly command: string;
  readonly startedAt: string;
  readonly who: string;
  /** Null while it runs. */
  readonly exit: string | null;
  /** The last lines that it wrote. */
  readonly output: readonly string[];
}

/** What can be done to runs; each throws ReplayError or UsageError where it cannot be done. `who` goes into the audit log. */
export interface RunActions {
  pause(runId: string, who: string): Promise<void>;
  /** Lets a paused run go on, or takes a failed or abandoned one over in a process of its own. */
  resume(runId: string, who: string): Promise<void>;
  cancel(runId: string, reason: string, who: string): Promise<void>;
  /** Folds the aggregates of a run's quarantined events again, in a process of its own. */
  retryQuarantined(runId: string, who: string): Promise<void>;
  /** Plans and writes nothing. */
  preview(form: ReplayForm): Promise<Preview>;
  /** Starts it in a process of its own; gives that process's id. */
  start(form: ReplayForm, who: string): Promise<string>;
  /** Those that were started here, newest first. */
  processes(): readonly StartedProcess[];
}

/** What the dashboard shows and does by means of packages that it does not know. */
export interface DashboardPorts {
  watchRun(runId: string): RunWatch;
  /** Null: everything is read-only. */
  readonly actions: RunActions | null;
  /** Of the whole installation, in Prometheus' text format. */
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
}
