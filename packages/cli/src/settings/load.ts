import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { DomainSettings } from "@cim-replay/core";
import type { ServiceEntry } from "../services/schema.ts";
import { type SettingName, type Settings, settingNames, settings } from "./definitions.ts";
import { type FileSettings, readSettingsFile } from "./file.ts";
import { type Mistake, throwMistakes } from "./mistakes.ts";
import { contextLayer } from "./nats-context.ts";

const DEFAULT_FILE = "cim-replay.yaml";

export interface LoadedSettings {
  readonly settings: Settings;
  /** The domains that the file describes. */
  readonly domains: ReadonlyMap<string, DomainSettings>;
  /** The services that the file describes; null where it has no such section. */
  readonly services: readonly ServiceEntry[] | null;
  /** Where the settings file is, or would be. */
  readonly filePath: string;
  readonly hasFile: boolean;
  /** What flags gave, and nothing else: what `--resume` may change. */
  readonly fromFlags: Partial<Settings>;
  /** Whether anybody gave this setting, in whatever way. */
  isGiven(name: SettingName): boolean;
}

export interface SettingSources {
  /** As commander hands them over; names that are no settings are left alone. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** What a person is pointed to where something is wrong, e.g. `event-replay --help`. */
  readonly helpCommand: string;
  /** Mistakes found elsewhere, told together with those found here. */
  readonly mistakes?: readonly Mistake[];
}

/** Defaults, then a context of the `nats` tool, then the file, then the environment, then flags: the later wins. Every layer is checked, also where it loses. */
export function loadSettings(sources: SettingSources): LoadedSettings {
  const file = readFile(sources);
  const mistakes: Mistake[] = [...(sources.mistakes ?? []), ...file.mistakes];
  const fromEnv = readLayer(mistakes, (name) => [sources.env[settings[name].env] || undefined, settings[name].env]);
  const fromFlags = readLayer(mistakes, (name) => [sources.flags[name], settings[name].flag.split(" ")[0] ?? name]);
  const given: Partial<Settings> = { ...file.values, ...fromEnv, ...fromFlags };
  const context = contextLayer(given, sources.env);
  mistakes.push(...context.mistakes);
  throwMistakes(mistakes, sources.helpCommand);
  const defaults = Object.fromEntries(settingNames.map((name) => [name, settings[name].fallback]));
  const merged = { ...defaults, ...context.values, ...given };
  return {
    // Each layer holds only what its setting's schema gave back, and the defaults hold every name.
    settings: merged as Settings,
    domains: file.domains,
    services: file.services,
    filePath: file.path,
    hasFile: file.isThere,
    fromFlags,
    isGiven: (name) => [file.values, fromEnv, fromFlags].some((layer) => layer[name] !== undefined),
  };
}

function readFile({
  flags,
  env,
  cwd,
}: SettingSources): FileSettings & { readonly path: string; readonly isThere: boolean } {
  const named = flags.config ?? (env.CIM_REPLAY_CONFIG || undefined);
  const shownAs = typeof named === "string" ? named : DEFAULT_FILE;
  const path = resolve(cwd, shownAs);
  if (named === undefined && !existsSync(path)) {
    return { values: {}, domains: new Map(), services: null, mistakes: [], path, isThere: false };
  }
  return { ...readSettingsFile(path, shownAs), path, isThere: true };
}

function readLayer(
  mistakes: Mistake[],
  read: (name: SettingName) => readonly [value: unknown, where: string],
): Partial<Settings> {
  const layer: Partial<Record<SettingName, unknown>> = {};
  for (const name of settingNames) {
    const [value, where] = read(name);
    if (value === undefined) continue;
    const parsed = settings[name].schema.safeParse(value);
    if (parsed.success) layer[name] = parsed.data;
    else mistakes.push({ where, message: parsed.error.issues[0]?.message ?? "not allowed" });
  }
  return layer as Partial<Settings>;
}
