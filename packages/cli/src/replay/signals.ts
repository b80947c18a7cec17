import { EXIT } from "../exit-status.ts";

export interface ReplaySignals {
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  dispose(): void;
}

export interface SignalActions {
  /** SIGUSR1. */
  checkpoint(): void;
  note(line: string): void;
  exitNow(status: number): never;
}

/** The first Ctrl-C checkpoints and ends in good order, the second ends at once. SIGUSR1 checkpoints and goes on. */
export function listenToSignals({ checkpoint, note, exitNow }: SignalActions): ReplaySignals {
  const interruption = new AbortController();
  const interrupt = () => {
    if (interruption.signal.aborted) exitNow(EXIT.interrupted);
    note("Interrupted: writing a checkpoint. Once more ends at once, without one.");
    interruption.abort();
  };
  process.on("SIGUSR1", checkpoint);
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  return {
    signal: interruption.signal,
    dispose() {
      process.off("SIGUSR1", checkpoint);
      process.off("SIGINT", interrupt);
      process.off("SIGTERM", interrupt);
    },
  };
}
