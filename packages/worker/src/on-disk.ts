import { tmpdir } from "node:os";
import { errorMessage, ReplayError } from "@cim-replay/core";

/** Does what takes room on the disk. Throws ReplayError with what to do where there is none. */
export function onDisk<Result>(work: () => Result, folder = tmpdir()): Result {
  try {
    return work();
  } catch (error) {
    throw new ReplayError(
      `Cannot keep states on disk in ${folder}: ${errorMessage(error)}. Let TMPDIR name a folder with room, or run with --buffer-mode memory.`,
      { cause: error },
    );
  }
}
