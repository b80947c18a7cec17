import { readFileSync } from "node:fs";
import { UMBRELLA } from "@cim-replay/cli";
import { parseSize } from "@cim-replay/core";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import {
  type Container,
  dataOf,
  environmentOf,
  named,
  render,
  type Workload,
  workloadsIn,
} from "../support/kubernetes-manifests.ts";

const text = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

/** What each command says of itself; a test of the commands keeps this page true. */
const said = new Map(
  text("docs/cli.md")
    .split(/^## /m)
    .slice(1)
    .map((section) => [section.slice(0, section.indexOf("\n")), section] as const),
);
const settingsPage = text("docs/configuration.md");
const base = render("base");
const jobs = ["jobs/replay", "jobs/resume"].flatMap(render);
const manifests = [...base, ...jobs];
const overlays = ["base", "overlays/small", "overlays/production"];

/** `cim-replay dashboard` or `domain-replay`. */
function commandOf({ command }: Container): string {
  return command[0] === UMBRELLA ? command.slice(0, 2).join(" ") : (command[0] ?? "");
}

const workloads = workloadsIn(manifests);
test("every command is one of ours", () => {
  expect(workloads.map(({ container }) => commandOf(container)).sort()).toEqual([
    "cim-replay dashboard",
    "cim-replay-worker",
    "domain-replay",
    "event-replay",
  ]);
  for (const { container } of workloads) expect(said.has(commandOf(container))).toBe(true);
});

describe.each(workloads)("$kind $name", ({ name, pod, container }: Workload) => {
  const help = said.get(commandOf(container)) ?? "";

  test("gives flags that its command has", () => {
    const flags = container.args.filter((arg) => arg.startsWith("-"));
    for (const flag of flags) expect(help).toMatch(new RegExp(`^ +${flag}\\b`, "m"));
  });

  test("gives variables that its command reads, or that others are made of", () => {
    const parts = container.env.flatMap(({ value = "" }) =>
      [...value.matchAll(/\$\((\w+)\)/g)].map(([, part]) => part),
    );
    const variables = Object.keys(environmentOf(container, manifests)).filter((variable) => !parts.includes(variable));
    expect(variables).toContain("NATS_URL");
    for (const variable of variables) expect(`${help}\n${settingsPage}`).toMatch(new RegExp(`\\b${variable}\\b`));
  });

  test("serves where its ports, annotations and the network policies say", () => {
    const [port] = container.ports;
    const { CIM_REPLAY_METRICS_PORT: metricsPort } = environmentOf(container, manifests);
    const given = container.args[container.args.indexOf("--port") + 1];
    expect(port?.containerPort).toBe(Number(name === "dashboard" ? given : metricsPort));
    if (port?.name === "metrics") {
      expect(pod.metadata.annotations).toMatchObject({
        "prometheus.io/scrape": "true",
        "prometheus.io/port": String(port.containerPort),
      });
    }
    const policy = z.looseObject({
      spec: z.looseObject({ ingress: z.tuple([z.looseObject({ ports: z.array(z.object({ port: z.string() })) })]) }),
    });
    const { ingress } = policy.parse(named(base, "NetworkPolicy", name === "dashboard" ? "dashboard" : "metrics")).spec;
    expect(ingress[0].ports.map((open) => open.port)).toEqual([port?.name]);
  });
});

test("pods may reach the servers on the ports that the environment names", () => {
  const { NATS_URL = "", REDIS_ADDRESS = "" } = dataOf(named(base, "ConfigMap", "cim-replay-environment"));
  const policy = z.looseObject({
    spec: z.looseObject({ egress: z.array(z.looseObject({ ports: z.array(z.object({ port: z.number() })) })) }),
  });
  const { egress } = policy.parse(named(base, "NetworkPolicy", "servers")).spec;
  const ports = egress.flatMap((rule) => rule.ports.map(({ port }) => port));
  expect(ports).toEqual([53, 53, Number(new URL(NATS_URL).port), Number(REDIS_ADDRESS.split(":")[1])]);
});

test.each([
  ["worker", "cim-replay-worker@.service"],
  ["replay-graph", "cim-replay.service"],
])("%s has as long to end as its systemd unit", (name, unit) => {
  const [, seconds] = /^TimeoutStopSec=(\d+)s$/m.exec(text(`deploy/systemd/${unit}`)) ?? [];
  const workload = workloads.find((found) => found.name === name);
  expect(workload?.pod.spec.terminationGracePeriodSeconds).toBe(Number(seconds));
});

test.each(overlays)("a worker of %s fails with advice before its container is killed", (folder) => {
  const rendered = render(folder);
  const file: unknown = parse(dataOf(named(rendered, "ConfigMap", "cim-replay-settings"))["cim-replay.yaml"] ?? "");
  const settings = z.looseObject({ "memory-limit": z.string(), "queue-prefix": z.string() }).parse(file);
  const worker = workloadsIn(rendered).find(({ name }) => name === "worker");
  const { requests, limits } = worker?.container.resources ?? {};
  const bytes = (quantity = "") => parseSize(quantity.replace(/i$/, ""));
  expect(parseSize(settings["memory-limit"])).toBeLessThan(bytes(limits?.memory));
  expect(bytes(requests?.memory)).toBeLessThanOrEqual(bytes(limits?.memory));
});
