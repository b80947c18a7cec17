import type { Command } from "commander";
import type { Invocation } from "../command.ts";
import type { SettingName } from "../settings/definitions.ts";
import {
  addCallFlags,
  addConfigFlag,
  addSettingFlags,
  type CallFlags,
  type CallFlagValues,
  callFlag,
  readCallFlags,
} from "../settings/flags.ts";
import { type LoadedSettings, loadSettings } from "../settings/load.ts";
import { oneOf, text } from "../settings/values.ts";

/** Flags that several commands share. */
export const shared = {
  run: callFlag("--run <id>", "this run", text),
  domain: callFlag("--domain <name>", "the latest run of this domain", text),
  format: callFlag("--format <text|json>", "of the output (default: text)", oneOf("text", "json")),
} as const;

export function addFlags(command: Command, flags: CallFlags, settingNames: readonly SettingName[]): void {
  addCallFlags(command, flags);
  addSettingFlags(command, settingNames);
  addConfigFlag(command);
}

/** A command's own flags and all settings, with every mistake told at once. */
export function readInvocation<Flags extends CallFlags>(
  { tool, flags: given }: Invocation,
  flags: Flags,
): { flags: CallFlagValues<Flags>; loaded: LoadedSettings } {
  const { values, mistakes } = readCallFlags(flags, given);
  const loaded = loadSettings({
    flags: given,
    env: process.env,
    cwd: process.cwd(),
    helpCommand: `${tool} --help`,
    mistakes,
  });
  return { flags: values, loaded };
}
