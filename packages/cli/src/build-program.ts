import { Command } from "commander";
import { type CommandEntry, type Invocation, UMBRELLA } from "./command.ts";
import { commandTable } from "./command-table.ts";
import { examples } from "./examples.ts";

export interface Outcome {
  status: number;
}

type Invoke = (entry: CommandEntry, args: string[], flags: Record<string, unknown>) => Promise<void>;

/** The parser of one tool; the umbrella's subcommands are filled in when one of them is called. */
export async function buildProgram(
  tool: string,
  version: string,
  base: Omit<Invocation, "tool" | "args" | "flags" | "commands">,
  outcome: Outcome,
): Promise<Command> {
  const invoke: Invoke = async (entry, args, flags) => {
    const { command } = await entry.load();
    setTitle(entry.name);
    outcome.status = await command.run({
      ...base,
      tool: entry.bin === null ? `${UMBRELLA} ${entry.name}` : entry.name,
      args,
      flags,
      commands: commandTable,
    });
  };
  const entry = commandTable.find(({ name, bin }) => tool === (bin ?? name));
  if (entry) {
    const program = common(new Command(tool), version);
    await fill(program, entry, invoke);
    return program;
  }
  return umbrella(version, invoke);
}

function umbrella(version: string, invoke: Invoke): Command {
  const program = common(new Command(UMBRELLA), version);
  program.description(
    "Rebuilds projections from NATS JetStream event streams, in parallel, with proof that nothing was lost.",
  );
  program.usage("<command> [flags]").enablePositionalOptions();
  for (const { name, summary } of commandTable) program.addCommand(common(new Command(name), null).summary(summary));
  program.hook("preSubcommand", async (_, subcommand) => {
    const entry = commandTable.find(({ name }) => name === subcommand.name());
    if (entry) await fill(subcommand, entry, invoke);
  });
  return program;
}

async function fill(command: Command, entry: CommandEntry, invoke: Invoke): Promise<void> {
  command.description(`${capitalised(entry.summary)}.`);
  const { command: module } = await entry.load();
  module.configure(command);
  const lines = examples[entry.name] ?? [];
  if (lines.length > 0) command.addHelpText("after", `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`);
  command.action(async () => {
    // An argument that may be left out, and was, is there as undefined.
    const args = command.processedArgs.flat().filter((arg) => arg !== undefined);
    await invoke(entry, args.map(String), command.opts());
  });
}

/** What `pgrep` finds; the system keeps 15 characters. */
export function setTitle(tool: string): void {
  process.title = tool.slice(0, 15);
}

/** Errors become exceptions, and only `main` ends the process. */
function common(command: Command, version: string | null): Command {
  command.exitOverride().showSuggestionAfterError(true).allowExcessArguments(false);
  command.configureOutput({ outputError: () => undefined });
  if (version !== null) command.version(version, "--version", "shows the version");
  return command.helpOption("-h, --help", "shows this help").configureHelp({ sortSubcommands: false });
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
