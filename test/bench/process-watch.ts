import { cpuMicros, descendants, peakBytes } from "./proc-files.ts";

export interface ProcessUse {
  cpuMicros: number;
  peakBytes: number;
}

const SAMPLE_MS = 50;
const SAMPLES_A_SEARCH = 5;

/**
 * What a process and its descendants use, by sampling: the kernel forgets a process when it ends. Misses at most what
 * each used in its last 50 ms.
 */
export class ProcessWatch {
  readonly root: ProcessUse = { cpuMicros: 0, peakBytes: 0 };
  readonly #rootPid: number;
  readonly #children = new Map<number, ProcessUse>();
  readonly #timer: NodeJS.Timeout;
  #samples = 0;

  constructor(rootPid: number) {
    this.#rootPid = rootPid;
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
  }

  get children(): ProcessUse[] {
    return [...this.#children.values()];
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #sample(): void {
    if (this.#samples++ % SAMPLES_A_SEARCH === 0) {
      for (const pid of descendants(this.#rootPid)) {
        if (!this.#children.has(pid)) this.#children.set(pid, { cpuMicros: 0, peakBytes: 0 });
      }
    }
    update(this.root, this.#rootPid);
    for (const [pid, use] of this.#children) update(use, pid);
  }
}

function update(use: ProcessUse, pid: number): void {
  use.cpuMicros = Math.max(use.cpuMicros, cpuMicros(pid) ?? 0);
  use.peakBytes = Math.max(use.peakBytes, peakBytes(pid) ?? 0);
}
