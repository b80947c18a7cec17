import { type Command, Option } from "commander";
import type { z } from "zod";
import { type SettingName, settings } from "./definitions.ts";
import type { Mistake } from "./mistakes.ts";

/** Adds settings as flags of a command. Values stay as written: `loadSettings` reads them, and reports all together. */
export function addSettingFlags(command: Command, names: readonly SettingName[]): void {
  for (const name of names) {
    const { flag, help, fallbackText, env, repeats } = settings[name];
    const group = ofEveryCommand.has(name) ? EVERY_COMMAND : "Options:";
    const option = new Option(flag, `${help} (default: ${fallbackText}; ${env})`).helpGroup(group);
    command.addOption(repeats ? option.argParser(gathered) : option);
    // Without a value it can only say yes.
    if (flag.includes(" ")) continue;
    command.addOption(new Option(flag.replace("--", "--no-"), `sets ${flag} aside`).helpGroup(group));
  }
}

/** Every value of a flag that is given several times. */
function gathered(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

/** How NATS is reached. Secrets have no flag, which `ps` would show to everybody: they come by a file or the environment. */
export const natsSettings = [
  "natsUrl",
  "context",
  "natsUser",
  "natsPasswordFile",
  "natsTokenFile",
  "natsCreds",
  "natsNkey",
  "natsCert",
  "natsKey",
  "natsCa",
  "natsTlsFirst",
  "natsJetstreamDomain",
  "natsJetstreamApiPrefix",
  "natsInboxPrefix",
  "natsReplicas",
] as const satisfies SettingName[];

/** How Redis is reached; of secrets the same holds. */
export const redisSettings = [
  "redisUrl",
  "redisCa",
  "redisCert",
  "redisKey",
  "redisSentinel",
  "redisSentinelPasswordFile",
  "redisCluster",
] as const satisfies SettingName[];

/** What every command has that talks to the servers. `--log-file` is only for those that open it: `withLog`. */
export const connectionSettings = [...natsSettings, ...redisSettings, "logLevel"] as const satisfies SettingName[];

/** Behind a command's own flags in its help, so that those are seen first. */
const EVERY_COMMAND = "Connecting and settings:";
const ofEveryCommand: ReadonlySet<SettingName> = new Set<SettingName>([...connectionSettings, "logFile"]);

export function addConfigFlag(command: Command): void {
  const help = "settings file (default: cim-replay.yaml; CIM_REPLAY_CONFIG)";
  command.addOption(new Option("--config <file>", help).helpGroup(EVERY_COMMAND));
}

/** A flag that is a matter of one call and so has no place in a settings file. */
export interface CallFlag<Value> {
  readonly flag: string;
  readonly help: string;
  readonly schema: z.ZodType<Value>;
}

export type CallFlags = Readonly<Record<string, CallFlag<unknown>>>;
export type CallFlagValues<Flags extends CallFlags> = {
  readonly [Name in keyof Flags]: (Flags[Name] extends CallFlag<infer Value> ? Value : never) | undefined;
};

export function callFlag<Value>(flag: string, help: string, schema: z.ZodType<Value>): CallFlag<Value> {
  return { flag, help, schema };
}

export function addCallFlags(command: Command, flags: CallFlags): void {
  for (const { flag, help } of Object.values(flags)) command.addOption(new Option(flag, help));
}

/** Reads a command's own flags; names that commander did not meet are `undefined`. */
export function readCallFlags<Flags extends CallFlags>(
  flags: Flags,
  given: Readonly<Record<string, unknown>>,
): { values: CallFlagValues<Flags>; mistakes: Mistake[] } {
  const values: Record<string, unknown> = {};
  const mistakes: Mistake[] = [];
  for (const [name, { flag, schema }] of Object.entries(flags)) {
    if (given[name] === undefined) continue;
    const parsed = schema.safeParse(given[name]);
    if (parsed.success) values[name] = parsed.data;
    else
      mistakes.push({ where: flag.split(" ")[0] ?? flag, message: parsed.error.issues[0]?.message ?? "not allowed" });
  }
  return { values: values as CallFlagValues<Flags>, mistakes };
}
