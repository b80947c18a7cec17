import type { Progress } from "@cim-replay/coordinator";
import { formatCount } from "@cim-replay/core";

/** Says when a checkpoint that was asked for is durable: every unit that was at work has written one, or is done. */
export class CheckpointWatch {
  readonly #note: (line: string) => void;
  #latest: Progress | null = null;
  #awaited: number | null = null;

  constructor(note: (line: string) => void) {
    this.#note = note;
  }

  /** The run that a checkpoint can be asked of, or null where none is at work yet. */
  ask(): string | null {
    const progress = this.#latest;
    if (progress?.run.state !== "running") {
      this.#note("Nothing to checkpoint: no run is at work.");
      return null;
    }
    this.#awaited = progress.checkpoints + progress.units.running;
    this.#note(`Checkpoint of run ${progress.run.id} requested.`);
    return progress.run.id;
  }

  see(progress: Progress): void {
    this.#latest = progress;
    if (this.#awaited === null) return;
    const settled = progress.units.done + progress.units.failed === progress.units.total;
    if (progress.checkpoints < this.#awaited && !settled) return;
    this.#awaited = null;
    this.#note(
      `Checkpoint of run ${progress.run.id} is durable: ${formatCount(progress.durableEvents)} of ${formatCount(progress.totalEvents)} events.`,
    );
  }
}
