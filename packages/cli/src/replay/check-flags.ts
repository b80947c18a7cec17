import type { Mistake } from "../settings/mistakes.ts";
import type { ReplayFlags } from "./flags.ts";

/** What a resumed run has pinned: another value would make it another run. */
const PINNED = [
  "aggregate-id",
  "from-beginning",
  "from-seq",
  "to-seq",
  "from-time",
  "to-time",
  "projection",
  "time-basis",
  "parallel",
  "source",
  "units",
  "dry-run",
] as const;

/** Flags that do not go together. `given` holds every flag as commander read it. */
export function contradictions(flags: ReplayFlags, given: Readonly<Record<string, unknown>>): Mistake[] {
  const mistakes: Mistake[] = [];
  const refuse = (where: string, message: string) => mistakes.push({ where, message });
  if (flags.resume) {
    for (const name of PINNED) {
      if (given[camelCase(name)] !== undefined) refuse(`--${name}`, "--resume goes on with what the run has pinned");
    }
  } else if (flags.run !== undefined) {
    refuse("--run", "it names the run that --resume goes on with, and --resume is not given");
  }
  if (flags.fromBeginning && flags.fromSeq !== undefined) refuse("--from-seq", "--from-beginning is given as well");
  if (flags.fromBeginning && flags.fromTime !== undefined) refuse("--from-time", "--from-beginning is given as well");
  if ((flags.toSeq ?? Infinity) < (flags.fromSeq ?? 0)) refuse("--to-seq", "it lies before --from-seq");
  if ((flags.toTime ?? Infinity) < (flags.fromTime ?? -Infinity)) refuse("--to-time", "it lies before --from-time");
  // An end is no hindrance: what was read from the first event on says which aggregates there were then.
  const cut = (["fromSeq", "fromTime", "aggregateId"] as const).find((name) => flags[name] !== undefined);
  if (given.prune === true && cut !== undefined) {
    refuse(
      "--prune",
      "only a replay of the whole domain from its first event on knows which entries no event accounts for",
    );
  }
  return mistakes;
}

function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
