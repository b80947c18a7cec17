import { CommanderError } from "commander";
import { buildProgram, setTitle } from "./build-program.ts";
import { describeError, EXIT, exitStatusOf } from "./exit-status.ts";
import { endOnSignals } from "./first-process.ts";
import { toolVersion } from "./output/tool-version.ts";
import { startTracing } from "./tracing.ts";
import { versionText } from "./output/version-text.ts";
import { createScreen } from "./output/screen.ts";

/**
 * Runs one tool by its name and ends the process with its status: the one place that does. `given`: the words without the program.
 */
export async function main(tool: string, given: readonly string[] = process.argv.slice(2)): Promise<void> {
  setTitle(tool);
  if (process.pid === 1) endOnSignals(process, (status) => process.exit(status));
  // What starts us may pass on the `--` that parted its own flags from ours.
  const argv = given[0] === "--" ? given.slice(1) : given;
  // A reader that has seen enough (`| head`) closes the pipe: no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    process.exit(error.code === "EPIPE" ? EXIT.done : EXIT.failed);
  });
  process.stderr.on("error", () => undefined);
  const screen = await createScreen(process.stderr, process.env);
  const outcome = { status: EXIT.done as number };
  const endTracing = await startTracing(tool, toolVersion());
  try {
    const print = (text: string) => void process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
    const exitNow = (status: number) => process.exit(status);
    const version = argv.includes("--version") ? versionText() : toolVersion();
    const program = await buildProgram(tool, version, { print, screen, exitNow }, outcome);
    // Some runners pass on the `--` that parts their own flags from the tool's.
    const words = argv[0] === "--" ? argv.slice(1) : argv;
    await program.parseAsync([...words], { from: "user" });
  } catch (error) {
    outcome.status = exitStatusOf(error);
    screen.end();
    // Called with nothing, the umbrella has shown its help already.
    const isTold = error instanceof CommanderError && error.code === "commander.help";
    if (outcome.status !== EXIT.done && !isTold) process.stderr.write(`${told(error, tool, argv)}\n`);
  } finally {
    screen.end();
  }
  await endTracing();
  await flushed(process.stdout);
  process.exit(outcome.status);
}

function told(error: unknown, tool: string, argv: readonly string[]): string {
  if (error instanceof CommanderError) {
    const message = error.message
      .replace(/^error: /, "")
      .replace(/\n+/g, " ")
      .trim();
    return `Cannot run ${tool}: ${message.replace(/[.]?$/, ".")} See \`${tool} --help\`.`;
  }
  return describeError(error, wantsStack(argv));
}

/** Read by hand: the error may be about the flags themselves. */
function wantsStack(argv: readonly string[]): boolean {
  const at = argv.findIndex((word) => word === "--log-level" || word.startsWith("--log-level="));
  const level = at < 0 ? process.env.CIM_REPLAY_LOG_LEVEL : (argv[at]?.split("=")[1] ?? argv[at + 1]);
  return level === "debug" || level === "trace";
}

/** A pipe may still hold output that the process must not cut off. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write("", () => resolve()));
}
