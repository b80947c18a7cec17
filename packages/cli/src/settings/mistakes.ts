import { UsageError } from "@cim-replay/core";

/** One thing that is wrong, and where a person finds it: `cim-replay.yaml:7 domains.graph.stream`, `--parallel`. */
export interface Mistake {
  readonly where: string;
  readonly message: string;
}

/** All mistakes at once: nobody should have to start a command three times to learn of three. */
export function throwMistakes(mistakes: readonly Mistake[], helpCommand: string): void {
  if (mistakes.length === 0) return;
  const lines = mistakes.map(({ where, message }) => `${where}: ${message}.`);
  const [only] = lines;
  if (lines.length === 1) throw new UsageError(`Cannot use ${only} See \`${helpCommand}\`.`);
  const title = `Cannot use the settings: there are ${lines.length} mistakes. See \`${helpCommand}\`.`;
  throw new UsageError([title, ...lines].join("\n"));
}
