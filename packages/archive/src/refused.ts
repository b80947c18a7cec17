import { ReplayError } from "@cim-replay/core";

/** What is wrong with an archive; always "Cannot use {file}: …". */
export function refused(file: string, why: string, advice = "Take another copy of it, or another backup"): ReplayError {
  return new ReplayError(`Cannot use archive ${file}: ${why}. ${advice}.`);
}
