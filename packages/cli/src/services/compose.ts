import { z } from "zod";
import { parseJson } from "./parse-json.ts";
import type { Argv } from "./run-program.ts";
import { type Probe, type Service, unknown } from "./service.ts";

const containerSchema = z.object({ State: z.string(), Health: z.string().default("") });
type Container = z.infer<typeof containerSchema>;

type Facts = Pick<Service, "name" | "timeoutMs" | "folder">;

export interface ComposeTarget {
  readonly service: string;
  readonly file: string | undefined;
  readonly project: string | undefined;
}

/** A service of docker compose, with all its containers. */
export function composeService(facts: Facts, { service, file, project }: ComposeTarget): Service {
  const place = [
    ...(file === undefined ? [] : [`--file=${file}`]),
    ...(project === undefined ? [] : [`--project-name=${project}`]),
  ];
  const compose = (...args: string[]): Argv => ["docker", "compose", ...place, ...args];
  return {
    ...facts,
    kind: "compose",
    target: [service, ...(project ? [`of ${project}`] : []), ...(file ? [`in ${file}`] : [])].join(" "),
    async probe(run) {
      const ran = await run(compose("ps", "--all", "--format=json", service));
      if (ran.status !== 0) return unknown(ran.trouble);
      const containers = z.array(containerSchema).safeParse(listed(ran.stdout));
      return containers.success ? stateOf(containers.data) : unknown("docker's answer is no list of containers");
    },
    stopping: () => compose("stop", service),
    starting: () => compose("start", service),
  };
}

/** Older releases print one list, newer ones an object a line. */
function listed(text: string): unknown {
  const whole = parseJson(text);
  if (Array.isArray(whole)) return whole;
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map(parseJson);
}

function stateOf(containers: readonly Container[]): Probe {
  const detail = containers.map(({ State, Health }) => (Health === "" ? State : `${State} (${Health})`)).join(", ");
  const are = (...states: string[]) => containers.filter(({ State }) => states.includes(State));
  const up = are("running", "restarting", "paused", "removing");
  if (up.length === 0) return { state: "stopped", detail: detail || "no container", replicas: null };
  const isReady = up.every(({ State, Health }) => State === "running" && (Health === "" || Health === "healthy"));
  return { state: isReady ? "running" : "starting", detail, replicas: null };
}
