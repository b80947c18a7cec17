import {
  driveRun,
  findRun,
  type HeldRun,
  planReplay,
  type Progress,
  type ReplayContext,
  requestCheckpoint,
  startRun,
  takeOverRun,
} from "@cim-replay/coordinator";
import { formatCount, type RunRecord } from "@cim-replay/core";
import type { Invocation } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { noRun } from "../no-run.ts";
import { json, runJson } from "../output/run-record.ts";
import { summaryText } from "../output/run-text.ts";
import { LocalWorkers } from "../workers/local-workers.ts";
import type { LostWorkersError } from "../workers/lost-workers-error.ts";
import { CheckpointWatch } from "./checkpoint-watch.ts";
import type { ReplayRequest } from "./request.ts";
import { errorMayPass, failureMayPass, waitToRetry } from "./retry.ts";
import { newRunId } from "./run-id.ts";
import { bucketOf, changesOnResume, runSettingsFor } from "./run-settings.ts";
import { domainsToReplay } from "./which-domains.ts";

/** Runs what a request asks for, one run after another, and tells how each ended. */
export class ReplayRunner {
  /** Of the run at work, or of the last one. */
  progress: Progress | null = null;
  readonly #invocation: Invocation;
  readonly #ctx: ReplayContext;
  readonly #request: ReplayRequest;
  readonly #interruption: AbortSignal;
  readonly #checkpoints: CheckpointWatch;

  constructor(invocation: Invocation, ctx: ReplayContext, request: ReplayRequest, interruption: AbortSignal) {
    this.#invocation = invocation;
    this.#ctx = ctx;
    this.#request = request;
    this.#interruption = interruption;
    this.#checkpoints = new CheckpointWatch((line) => invocation.screen.note(line));
  }

  checkpointNow(): void {
    const runId = this.#checkpoints.ask();
    if (runId !== null) requestCheckpoint(this.#ctx, runId);
  }

  /** The exit status: that of the first run that did not complete. */
  async run(): Promise<number> {
    const { flags, loaded } = this.#request;
    if (flags.resume) return this.#finish(await this.#drive(await this.#resume()));
    let status: number = EXIT.done;
    for (const domain of await domainsToReplay(this.#ctx.client, loaded, flags)) {
      const held = await this.#begin(domain);
      if (!held) return EXIT.interrupted;
      const ended = this.#finish(await this.#drive(held));
      status = status === EXIT.done ? ended : status;
      if (ended === EXIT.interrupted) return ended;
    }
    return status;
  }

  /** Null where the plan was interrupted. */
  async #begin(domain: string): Promise<HeldRun | null> {
    const { flags, loaded } = this.#request;
    const { tool, screen } = this.#invocation;
    const { settings, projection } = await runSettingsFor(domain, loaded, flags);
    const plan = await planReplay(this.#ctx.client, settings, projection, newRunId());
    for (const warning of plan.warnings) screen.note(`${screen.style("yellow", "warning:")} ${warning}`);
    if (this.#interruption.aborted) {
      screen.note("Nothing was begun.");
      return null;
    }
    return startRun(this.#ctx, tool, settings, plan);
  }

  async #resume(): Promise<HeldRun> {
    const { flags, loaded } = this.#request;
    const wanted = {
      ...(flags.domain === undefined ? {} : { domain: flags.domain }),
      ...(loaded.fromFlags.target === undefined ? {} : { target: bucketOf(loaded.fromFlags.target) }),
      unfinishedOnly: true,
    };
    const runId = flags.run ?? (await findRun(this.#ctx.ledger, wanted))?.id;
    if (runId === undefined) {
      throw noRun(this.#invocation.tool, `unfinished run${flags.domain === undefined ? "" : ` of ${flags.domain}`}`);
    }
    this.#invocation.screen.note(`Resuming run ${runId}.`);
    return takeOverRun(this.#ctx, runId, changesOnResume(loaded.fromFlags, flags));
  }

  /** Sees a run to its end; where `--resume-on-failure` asks for it, again after what may pass. */
  async #drive(first: HeldRun): Promise<RunRecord> {
    const { id } = first.record;
    const note = (line: string) => this.#invocation.screen.note(line);
    const mayRetry = this.#request.flags.resumeOnFailure === true;
    let held = first;
    for (let attempt = 1; ; attempt++) {
      try {
        const ended = await this.#driveOnce(held);
        if (!mayRetry || !failureMayPass(ended, await this.#failureKinds(id))) return ended;
        if (!(await waitToRetry(attempt, this.#interruption, note))) return ended;
      } catch (error) {
        if (!mayRetry || !errorMayPass(error)) throw error;
        this.#invocation.screen.end();
        note(error instanceof Error ? error.message : String(error));
        if (!(await waitToRetry(attempt, this.#interruption, note))) throw error;
      }
      held = await takeOverRun(this.#ctx, id, {});
    }
  }

  async #driveOnce(held: HeldRun): Promise<RunRecord> {
    const { settings } = this.#request.loaded;
    const { memoryLimitBytes, gcInterval } = held.record.settings;
    const lost = new AbortController();
    const pool = new LocalWorkers({
      settings: { ...settings, memoryLimit: memoryLimitBytes, gcInterval },
      note: (line) => this.#invocation.screen.note(line),
      onLost: (error: LostWorkersError) => lost.abort(error),
    });
    const ended = await driveRun(this.#ctx, held, {
      pool,
      localWorkers: settings.localWorkers,
      checkpointDir: settings.checkpointDir,
      onProgress: (progress) => this.#show(progress),
      signal: AbortSignal.any([this.#interruption, lost.signal]),
    });
    if (lost.signal.aborted && ended.state === "paused") throw lost.signal.reason;
    return ended;
  }

  #show(progress: Progress): void {
    this.progress = progress;
    this.#checkpoints.see(progress);
    this.#invocation.screen.progress(progress);
  }

  async #failureKinds(runId: string): Promise<string[]> {
    const units = await this.#ctx.ledger.listUnits(runId);
    return units.flatMap(({ record }) => (record.failure ? [record.failure.kind] : []));
  }

  /** Prints how a run ended and gives its status. */
  #finish(run: RunRecord): number {
    const { screen, print } = this.#invocation;
    screen.end();
    const isInterrupted = run.state === "paused";
    if (this.#request.flags.format === "json") print(json(runJson(run)));
    else if (!isInterrupted) print(summaryText(run));
    if (run.state === "completed") return EXIT.done;
    if (!isInterrupted) {
      screen.note(`Cannot complete run ${run.id} of ${run.settings.domain}: ${run.reason ?? `it is ${run.state}`}`);
      return EXIT.failed;
    }
    const { durableEvents = 0, totalEvents = 0 } = this.progress ?? {};
    screen.note(
      `Run ${run.id} is interrupted; ${formatCount(durableEvents)} of ${formatCount(totalEvents)} events are checkpointed. Go on with \`event-replay --resume\`.`,
    );
    return EXIT.interrupted;
  }
}
