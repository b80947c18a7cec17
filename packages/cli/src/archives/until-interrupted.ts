import type { Invocation } from "../command.ts";
import { EXIT } from "../exit-status.ts";

/** Ctrl-C ends the work in good order, a second one at once. Null where it was interrupted before it was done. */
export async function untilInterrupted<Result>(
  { screen, exitNow }: Pick<Invocation, "screen" | "exitNow">,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result | null> {
  const interruption = new AbortController();
  const interrupt = () => {
    if (interruption.signal.aborted) exitNow(EXIT.interrupted);
    screen.note("Interrupted. The same command goes on where it was, or begins anew; once more ends at once.");
    interruption.abort();
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  try {
    return await work(interruption.signal);
  } catch (error) {
    if (interruption.signal.aborted && error === interruption.signal.reason) return null;
    throw error;
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}
