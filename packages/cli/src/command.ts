import type { Command } from "commander";
import type { Screen } from "./output/screen.ts";

/** What a command is given when it runs. */
export interface Invocation {
  /** Its own name, e.g. `domain-replay`. */
  readonly tool: string;
  readonly args: readonly string[];
  /** As commander read them: text, `true`, or nothing. */
  readonly flags: Readonly<Record<string, unknown>>;
  /** Standard output: data only. */
  readonly print: (text: string) => void;
  /** Standard error: progress and notes. */
  readonly screen: Screen;
  /** Ends the process at once, for a second Ctrl-C. */
  readonly exitNow: (status: number) => never;
  /** Every command there is, for those that tell of the others. */
  readonly commands: readonly CommandEntry[];
}

/** The tool that has all others as subcommands. */
export const UMBRELLA = "cim-replay";

/** A line of the table of commands. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  /** The command's own name in `node_modules/.bin`; null: only as `cim-replay NAME`. */
  readonly bin: string | null;
  load(): Promise<{ readonly command: CommandModule }>;
}

/** One file of `commands/`. */
export interface CommandModule {
  /** Adds arguments, flags and help texts. */
  configure(command: Command): void;
  /** Does the work and gives the exit status; throws what went wrong. */
  run(invocation: Invocation): Promise<number>;
}
