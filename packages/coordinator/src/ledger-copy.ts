import { mkdir, open, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Plan, RunRecord, UnitRecord } from "@cim-replay/core";

const WRITE_EVERY_MS = 1_000;

/** Keeps a copy of a run's ledger records in a file that is always whole: written aside, synced, renamed. */
export class LedgerCopy {
  readonly path: string;
  #writtenAt = Number.NEGATIVE_INFINITY;
  #last = "";

  constructor(directory: string, runId: string) {
    this.path = join(directory, `${runId}.json`);
  }

  async write(run: RunRecord, plan: Plan, units: readonly UnitRecord[], options: { now: boolean }): Promise<void> {
    if (!options.now && performance.now() - this.#writtenAt < WRITE_EVERY_MS) return;
    const text = `${JSON.stringify({ version: 1, run, plan, units }, null, 2)}\n`;
    if (text === this.#last) return;
    const temporary = `${this.path}.tmp`;
    await mkdir(dirname(this.path), { recursive: true });
    const file = await open(temporary, "w");
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, this.path);
    this.#last = text;
    this.#writtenAt = performance.now();
  }
}
