import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { errorMessage, type Log, type RunRecord } from "@cim-replay/core";
import type { Ledger, LiveSignals } from "@cim-replay/nats";
import { adapt, resumed, stated, UNLIMITED } from "./adaptive-rate.ts";

const LOOK_EVERY_MS = 400;

export interface RateKeeperOptions {
  /** Before its work begins: what the server is like then is what it is compared with. */
  readonly run: RunRecord;
  readonly ledger: Pick<Ledger, "changeRun">;
  readonly log: Log;
  /** Null where the server did not answer in time. */
  look(): Promise<LiveSignals | null>;
}

/** Keeps the rate of a run whose settings ask for it to what the others bear; what it comes to stands in the run's record. */
export class RateKeeper {
  readonly #options: RateKeeperOptions;
  readonly #stopped = new AbortController();
  #state = UNLIMITED;
  #run: RunRecord;
  #eventsPerSecond = 0;

  constructor(options: RateKeeperOptions) {
    this.#options = options;
    this.#run = options.run;
    void this.#keep();
  }

  /** The run as it is now. */
  see(run: RunRecord, eventsPerSecond: number): void {
    this.#run = run;
    this.#eventsPerSecond = eventsPerSecond;
  }

  stop(): void {
    this.#stopped.abort();
  }

  async #keep(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const run = this.#run;
      try {
        if (run.state === "running") await this.#keepOnce(run);
      } catch (error) {
        // The next look may do better; the run goes on with the rate that it has.
        this.#options.log.warn({ run: run.id, error: errorMessage(error) }, "the run's rate could not be adapted");
      }
      await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #keepOnce(run: RunRecord): Promise<void> {
    if (!run.settings.adaptiveRate) {
      this.#state = UNLIMITED;
      await this.#write(run, null);
      return;
    }
    // One that is resumed goes on with the rate that it had.
    if (this.#state === UNLIMITED) this.#state = resumed(run.adaptive, performance.now());
    const signals = await this.#options.look();
    const look = { atMs: performance.now(), signals, eventsPerSecond: this.#eventsPerSecond };
    this.#state = adapt(this.#state, look, run.settings.maxRate);
    await this.#write(run, stated(this.#state));
  }

  async #write(run: RunRecord, adaptive: RunRecord["adaptive"]): Promise<void> {
    if (isDeepStrictEqual(run.adaptive, adaptive)) return;
    this.#options.log.info({ run: run.id, ...adaptive }, "the run's rate was adapted");
    this.#run = await this.#options.ledger.changeRun(run.id, (record) => ({
      ...record,
      // It may have been switched off meanwhile.
      adaptive: record.settings.adaptiveRate ? adaptive : null,
    }));
  }
}
