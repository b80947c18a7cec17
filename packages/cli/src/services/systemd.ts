import { type Service, type ServiceState, unknown } from "./service.ts";

const STATES: ReadonlyMap<string, ServiceState> = new Map([
  ["active", "running"],
  ["reloading", "running"],
  ["refreshing", "running"],
  ["activating", "starting"],
  ["deactivating", "stopping"],
  ["inactive", "stopped"],
  ["failed", "stopped"],
]);

type Facts = Pick<Service, "name" | "timeoutMs" | "folder">;

/** A unit of the system's manager, or of the user's. */
export function systemdService(facts: Facts, { unit, user }: { unit: string; user: boolean }): Service {
  const systemctl = (...args: string[]) =>
    ["systemctl", ...(user ? ["--user"] : []), "--no-ask-password", "--no-pager", ...args, "--", unit] as const;
  return {
    ...facts,
    kind: "systemd",
    target: user ? `${unit} of the user` : unit,
    async probe(run) {
      const ran = await run(systemctl("show", "--property=LoadState,ActiveState,SubState"));
      if (ran.status !== 0) return unknown(ran.trouble);
      const properties = new Map(
        ran.stdout.split("\n").map((line) => [line.split("=")[0], line.split("=")[1]?.trim()]),
      );
      if (properties.get("LoadState") === "not-found") return unknown("systemd knows no such unit");
      const active = properties.get("ActiveState") ?? "";
      const detail = `${active} (${properties.get("SubState") ?? ""})`;
      return { state: STATES.get(active) ?? "unknown", detail, replicas: null };
    },
    stopping: () => systemctl("stop"),
    starting: () => systemctl("start"),
  };
}
