import type { RunRecord } from "@cim-replay/core";

/** The command that brings a target's entries back to what they were before the run; null where nothing was kept. */
export function rollbackCommand(
  { backup, settings }: Pick<RunRecord, "backup" | "settings">,
  reach = "",
): string | null {
  if (backup === null || backup.file === null) return null;
  return `restore-projections --backup ${shellWord(backup.file)} --target ${settings.target}${reach}`;
}

/** What a command that is printed needs to find the same servers: what was given as flags. No password is repeated. */
export function reachFlags(flags: Readonly<Record<string, unknown>>): string {
  const { config, natsUrl } = flags;
  const parts = [
    ...(typeof config === "string" ? [` --config ${shellWord(config)}`] : []),
    ...(typeof natsUrl === "string" && !natsUrl.includes("@") ? [` --nats-url ${shellWord(natsUrl)}`] : []),
  ];
  return parts.join("");
}

function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
