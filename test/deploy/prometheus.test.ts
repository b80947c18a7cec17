import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandTable } from "@cim-replay/cli";
import { expect, test } from "vitest";
import { alertTests, dashboardQueries, prometheusFile, rules } from "../support/monitoring-files.ts";
import { isPromtoolThere, promtool } from "../support/promtool.ts";

if (!isPromtoolThere) {
  console.warn("Rules are not checked: there is no promtool (Debian: apt-get install prometheus).");
}

const alerts = rules.flatMap(({ alert }) => alert ?? []);

test.each(alerts)("rules.test.yml shows when %s fires and when it does not", (alert) => {
  const fires = alertTests.filter((one) => one.alert === alert).map((one) => one.fires);
  expect(new Set(fires)).toEqual(new Set([true, false]));
});

test("alerts send people to commands that there are", () => {
  const said = rules.flatMap(({ annotations = {} }) => Object.values(annotations)).join("\n");
  const named = [...said.matchAll(/`([a-z][a-z-]*)/g)].map(([, name]) => name);
  expect(named).not.toEqual([]);
  const names = commandTable.map(({ name }) => name);
  for (const name of named) expect(names).toContain(name);
});

test.runIf(isPromtoolThere)("promtool takes the configuration and the rules", () => {
  for (const args of [
    ["check", "config", prometheusFile("prometheus.yml")],
    ["check", "rules", "--lint-fatal", prometheusFile("rules.yml")],
  ]) {
    const { status, text } = promtool(...args);
    expect(status, text).toBe(0);
  }
});

test.runIf(isPromtoolThere)("the rules do what rules.test.yml says", () => {
  const { status, text } = promtool("test", "rules", prometheusFile("rules.test.yml"));
  expect(status, text).toBe(0);
});

test.runIf(isPromtoolThere)("Prometheus can read every query of the Grafana dashboard", () => {
  const folder = mkdtempSync(join(tmpdir(), "cim-replay-queries-"));
  try {
    const file = join(folder, "queries.json");
    const asRules = dashboardQueries.map(({ expr }, index) => ({ record: `query:${index}`, expr }));
    writeFileSync(file, JSON.stringify({ groups: [{ name: "queries", rules: asRules }] }));
    const { status, text } = promtool("check", "rules", "--lint=none", file);
    expect(status, text).toBe(0);
    expect(text).toContain(`${dashboardQueries.length} rules found`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
