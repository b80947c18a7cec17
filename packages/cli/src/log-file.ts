import { closeSync, openSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { errorMessage, UsageError } from "@cim-replay/core";

/**
 * A file that whole lines are appended to. `reopen` opens it again by its name: what a rotation has moved away is closed, and
 * a new file begun. Where that fails, the old one goes on to be written: a full or vanished folder ends no run.
 */
export class LogFile {
  readonly #path: string;
  #fd: number;

  /** Throws UsageError where the file cannot be opened. */
  constructor(path: string) {
    this.#path = path;
    if (!isFolder(dirname(path))) {
      throw new UsageError(
        `Cannot write the log to ${path}: there is no folder ${dirname(path)}. Make it, or name another file.`,
      );
    }
    try {
      this.#fd = openSync(path, "a");
    } catch (error) {
      throw new UsageError(`Cannot write the log to ${path}: ${errorMessage(error)}. Name another file.`);
    }
  }

  /** The line is with the system when this returns; several processes may append to one file. */
  write(line: string): void {
    const bytes = Buffer.from(line);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
    } catch {
      // A full disk must not end the run that it is the log of.
    }
  }

  /** Returns what went wrong, or null. */
  reopen(): string | null {
    try {
      const fd = openSync(this.#path, "a");
      closeSync(this.#fd);
      this.#fd = fd;
      return null;
    } catch (error) {
      return `Cannot open the log ${this.#path} again: ${errorMessage(error)}. The old file goes on to be written.`;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
