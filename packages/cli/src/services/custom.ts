import type { CommandLine } from "./schema.ts";
import { type Probe, type Service, unknown } from "./service.ts";
import type { Argv, Ran } from "./run-program.ts";

type Facts = Pick<Service, "name" | "timeoutMs" | "folder">;

export interface Commands {
  readonly stop: CommandLine;
  readonly start: CommandLine;
  /** Status 0: runs; 1 or 3 (as `pgrep` and init scripts say it): does not; any other: nobody knows. */
  readonly status: CommandLine;
}

/** A service that commands of the user's manage. */
export function customService(facts: Facts, commands: Commands): Service {
  const status = argvOf(commands.status);
  return {
    ...facts,
    kind: "command",
    target: commandText(argvOf(commands.stop)),
    probe: async (run) => probeOf(await run(status)),
    stopping: () => argvOf(commands.stop),
    starting: () => argvOf(commands.start),
  };
}

function argvOf(line: CommandLine): Argv {
  return "shell" in line ? ["sh", "-c", line.shell] : line;
}

function probeOf({ status, stdout, trouble }: Ran): Probe {
  const said = stdout.trim().split("\n")[0] ?? "";
  if (status === 0) return { state: "running", detail: said, replicas: null };
  if (status === 1 || status === 3) return { state: "stopped", detail: said, replicas: null };
  return unknown(trouble);
}

/** As one would type it. */
export function commandText(argv: Argv): string {
  return argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(" ");
}
