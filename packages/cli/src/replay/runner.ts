import {
  type CertifyRun,
  type DriveOptions,
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
import { type CompiledProjection, errorMessage, formatCount, type RunRecord, type RunSettings } from "@cim-replay/core";
import { connectNats } from "@cim-replay/nats";
import { type Audited, audit, auditedTarget } from "../audit.ts";
import type { Invocation } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { noRun } from "../no-run.ts";
import { json, runJson } from "../output/run-record.ts";
import { reachFlags } from "../output/rollback.ts";
import { summaryText } from "../output/run-text.ts";
import { LocalWorkers } from "../workers/local-workers.ts";
import { backUpFirst } from "./backup-first.ts";
import { CheckpointWatch } from "./checkpoint-watch.ts";
import { natsOptions } from "../session.ts";
import type { ReplayRequest } from "./request.ts";
import { errorMayPass, failureMayPass, waitToRetry } from "./retry.ts";
import type { IndexCount } from "@cim-replay/verifier";
import { indexCountOf } from "../verify/index-count.ts";
import { newRunId } from "./run-id.ts";
import { bucketOf } from "../settings/bucket-names.ts";
import { changesOnResume, runSettingsFor } from "./run-settings.ts";
import { domainsToReplay } from "./which-domains.ts";

/** Runs what a request asks for, one run after another, and tells how each ended. */
export class ReplayRunner {
  /** Of the run at work, or of the last one. */
  progress: Progress | null = null;
  /** Runs that ended, in that order. */
  readonly ended: RunRecord[] = [];
  readonly #invocation: Invocation;
  readonly #ctx: ReplayContext;
  readonly #request: ReplayRequest;
  readonly #interruption: AbortSignal;
  readonly #checkpoints: CheckpointWatch;
  /** What the server counted for the plan that was made last. */
  #counted: IndexCount | null = null;
  /** Local workers that start while the plan is made. */
  #warming: LocalWorkers | null = null;

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
    const { flags } = this.#request;
    if (flags.resume) return this.#finish(await this.#drive(await this.#resume()));
    let status: number = EXIT.done;
    for (const domain of await this.#domains()) {
      const held = await this.#begin(domain);
      if (!held) return EXIT.interrupted;
      const ended = this.#finish(await this.#drive(held));
      status = status === EXIT.done ? ended : status;
      if (ended === EXIT.interrupted) return ended;
    }
    return status;
  }

  async #domains(): Promise<readonly string[]> {
    const { flags, loaded, filter } = this.#request;
    return filter?.filter.domains ?? (await domainsToReplay(this.#ctx.client, loaded, flags));
  }

  /** Null where the plan was interrupted. */
  async #begin(domain: string): Promise<HeldRun | null> {
    const { flags, loaded, filter } = this.#request;
    const { settings, projections } = await runSettingsFor(domain, loaded, flags, filter);
    const localWorkers = await this.#localWorkers();
    if (localWorkers !== 0 && localWorkers !== "if-needed") {
      this.#warming = this.#newPool(settings);
      this.#warming.warm();
    }
    try {
      return await this.#planAndStart(settings, projections);
    } catch (error) {
      await this.#warming?.stop();
      throw error;
    }
  }

  /** Null where it was interrupted. */
  async #planAndStart(settings: RunSettings, projections: readonly CompiledProjection[]): Promise<HeldRun | null> {
    const { tool, screen } = this.#invocation;
    const plan = await planReplay(this.#ctx.client, settings, projections, newRunId(), (counts) => {
      this.#counted = indexCountOf(counts);
    });
    for (const warning of plan.warnings) screen.note(`${screen.style("yellow", "warning:")} ${warning}`);
    if (this.#interruption.aborted) {
      await this.#warming?.stop();
      screen.note("Nothing was begun.");
      return null;
    }
    const note = (line: string) => screen.note(line);
    const backups = await backUpFirst(this.#ctx.client, {
      ...{ settings: this.#request.loaded.settings, run: settings, plan, note },
    });
    return startRun(this.#ctx, tool, settings, plan, backups);
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

  /** Sees a run to its end, with a record of its start and its end in the audit log. */
  async #drive(held: HeldRun): Promise<RunRecord> {
    await this.#audit(held.record, { step: "started" });
    try {
      const ended = await this.#driveToEnd(held);
      const outcome = ended.reason === null ? ended.state : `${ended.state}: ${ended.reason}`;
      await this.#audit(ended, { step: "ended", outcome, certificate: ended.summary?.certificate ?? null });
      return ended;
    } catch (error) {
      await this.#audit(held.record, { step: "ended", outcome: errorMessage(error) });
      throw error;
    }
  }

  #audit({ id, settings }: RunRecord, facts: Pick<Audited, "step" | "outcome" | "certificate">): Promise<void> {
    const of = { command: this.#invocation.tool, ...auditedTarget(settings), runId: id, parameters: settings };
    return audit(this.#ctx.client, { ...of, ...facts }, (line) => this.#invocation.screen.note(line));
  }

  /** Sees a run to its end; where `--resume-on-failure` asks for it, again after what may pass. */
  async #driveToEnd(first: HeldRun): Promise<RunRecord> {
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
    const localWorkers = this.#warming ? this.#request.loaded.settings.localWorkers : await this.#localWorkers();
    const pool = this.#warming ?? this.#newPool(held.record.settings);
    this.#warming = null;
    const ended = await driveRun(this.#ctx, held, {
      pool,
      localWorkers,
      checkpointDir: this.#request.loaded.settings.checkpointDir,
      certify: this.#certifier(held.record.settings.certify),
      onProgress: (progress) => this.#show(progress),
      onStall: (text) => this.#invocation.screen.note(text),
      signal: AbortSignal.any([this.#interruption, pool.lost]),
    });
    if (pool.lost.aborted && ended.state === "paused") throw pool.lost.reason;
    return ended;
  }

  /** Loads the verifier when it is asked: workers begin the sooner. */
  #certifier(level: RunSettings["certify"]): CertifyRun | null {
    if (level === "none") return null;
    const { settings } = this.#request.loaded;
    const connect = () => connectNats(natsOptions(settings, "verifier"));
    const note = (line: string) => this.#invocation.screen.note(line);
    return async (...asked) => {
      const { certifier } = await import("../verify/certify.ts");
      return certifier(connect, this.#ctx.ledger, level, { counted: this.#counted, note })(...asked);
    };
  }

  /** Only at need where others are connected already and nobody asked for more. */
  async #localWorkers(): Promise<DriveOptions["localWorkers"]> {
    const { localWorkers } = this.#request.loaded.settings;
    return localWorkers === "auto" && (await this.#ctx.queue.workerCount()) > 0 ? "if-needed" : localWorkers;
  }

  #newPool({ memoryLimitBytes, gcInterval, bufferMode }: RunSettings): LocalWorkers {
    return new LocalWorkers({
      settings: { ...this.#request.loaded.settings, memoryLimit: memoryLimitBytes, gcInterval, bufferMode },
      note: (line) => this.#invocation.screen.note(line),
    });
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
    const { screen, print, flags } = this.#invocation;
    const reach = reachFlags(flags);
    screen.end();
    this.ended.push(run);
    const isInterrupted = run.state === "paused";
    if (this.#request.flags.format === "json") print(json(runJson(run, reach)));
    else if (!isInterrupted) print(summaryText(run, reach));
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
