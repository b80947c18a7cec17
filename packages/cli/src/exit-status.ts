import { errorMessage, ReplayError, UnreachableError, UsageError } from "@cim-replay/core";
import { CommanderError } from "commander";
import { redactUrls } from "./redact.ts";

export const EXIT = {
  done: 0,
  /** The work failed, or did not verify. */
  failed: 1,
  usage: 2,
  unreachable: 3,
  /** By a signal, with a checkpoint. */
  interrupted: 130,
} as const;

export function exitStatusOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof UnreachableError) return EXIT.unreachable;
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  return EXIT.failed;
}

/** What stderr gets: one or two lines for what was foreseen; a stack only where asked for. */
export function describeError(error: unknown, withStack: boolean): string {
  if (withStack && error instanceof Error) return redactUrls(error.stack ?? error.message);
  const message = redactUrls(errorMessage(error));
  if (error instanceof ReplayError) return message;
  return `Cannot go on: ${message.split("\n")[0]}. Run it again with --log-level debug for the stack trace.`;
}
