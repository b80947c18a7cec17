import { Command, type Option } from "commander";
import type { CommandEntry } from "../command.ts";

/** What may follow a flag: one of some words, a file, something that nobody can guess, or nothing. */
export type FlagValue =
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "file" | "other" | "none" };

interface ToolFlag {
  /** `--output`. */
  readonly name: string;
  readonly help: string;
  readonly value: FlagValue;
}

/** What can be typed behind one command. */
export interface ToolWords {
  readonly name: string;
  readonly summary: string;
  /** Its name as a tool of its own, beside being a word of `cim-replay`; null: it is none. */
  readonly bin: string | null;
  /** Choices of its arguments. */
  readonly args: readonly string[];
  readonly flags: readonly ToolFlag[];
}

/** Reads it off the command's own parser, so that nothing can be missing. */
export async function toolWords({ name, summary, bin, load }: CommandEntry): Promise<ToolWords> {
  const { command } = await load();
  const parser = new Command(name);
  command.configure(parser);
  const help = { name: "--help", help: "shows the flags", value: { kind: "none" } } as const;
  return {
    name,
    summary,
    bin,
    args: parser.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
    flags: [...parser.options.flatMap(flagOf), help],
  };
}

function flagOf(option: Option): ToolFlag[] {
  if (!option.long || option.hidden) return [];
  return [{ name: option.long, help: option.description, value: expectedBy(option) }];
}

function expectedBy({ flags, required, optional }: Option): FlagValue {
  if (!required && !optional) return { kind: "none" };
  const placeholder = /[<[](.*?)[>\]]/.exec(flags)?.[1] ?? "";
  if (/\b(?:file|folder)\b/.test(placeholder)) return { kind: "file" };
  // `<n|auto|0>`: a letter alone stands for a number.
  const words = placeholder.split("|").filter((word) => /^[a-z][-\w]+$/.test(word));
  return placeholder.includes("|") && words.length > 0 ? { kind: "words", words } : { kind: "other" };
}
