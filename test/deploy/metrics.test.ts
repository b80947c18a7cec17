import { freePort } from "@cim-replay/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { addExposed, type Exposed } from "../support/exposition.ts";
import { FaultStage } from "../support/fault-stage.ts";
import { dashboard, dashboardQueries, rules } from "../support/monitoring-files.ts";
import { readQuery } from "../support/promql.ts";
import { until } from "../support/until.ts";

/** Prometheus adds these to every series. */
const OF_PROMETHEUS = ["job", "instance"];
const recorded = new Set(rules.flatMap(({ record }) => record ?? []));

/** A run with a worker of its own, both scraped while it is at work. */
async function scrapeRun(): Promise<Exposed> {
  const stage = await FaultStage.open({ events: 4_000, eventMicros: 2_000 });
  try {
    const [workerPort, runPort] = [await freePort(), await freePort()];
    const worker = stage.start("cim-replay", ["worker", "--metrics-port", String(workerPort)]);
    await worker.says(/takes units/);
    stage.replay("--local-workers", "0", "--memory-limit", "1G", "--metrics-port", String(runPort));
    await stage.unit(({ cursorSeq }) => cursorSeq > 800);
    const scrape = async (port: number) => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const isComplete = (text: string) => /^cim_replay_lag_seconds /m.test(text) && /_eta_seconds /.test(text);
    const ofRun = await until(
      async () => {
        const text = await scrape(runPort);
        return isComplete(text) && text;
      },
      () => `lag and ETA. ${stage.said}`,
    );
    const ofWorker = await until(
      async () => {
        const text = await scrape(workerPort);
        return /^cim_replay_failed_runs\{/m.test(text) && text;
      },
      () => `what the ledger knows. ${stage.said}`,
    );
    return addExposed(addExposed(new Map(), ofRun), ofWorker);
  } finally {
    await stage.close();
  }
}

describe("metrics that a run and its worker expose", () => {
  let exposed: Exposed;
  beforeAll(async () => {
    exposed = await scrapeRun();
    exposed.set("up", new Map());
  });
  afterAll(() => exposed.clear());

  /** A recording rule's series has the labels of what it is made of. */
  const labelsOf = (metric: string): Set<string> => {
    const rule = rules.find(({ record }) => record === metric);
    if (!rule) return new Set([...(exposed.get(metric)?.keys() ?? []), ...OF_PROMETHEUS]);
    return new Set(readQuery(rule.expr).selectors.flatMap((selector) => [...labelsOf(selector.metric)]));
  };

  const check = (expr: string, legendLabels: readonly string[] = []) => {
    const { selectors, groupedBy } = readQuery(expr);
    expect(selectors, expr).not.toEqual([]);
    const allLabels = new Set<string>();
    for (const { metric, matchers } of selectors) {
      expect(exposed.has(metric) || recorded.has(metric), `${metric} in ${expr}`).toBe(true);
      for (const label of labelsOf(metric)) allLabels.add(label);
      for (const { label, op, value } of matchers) {
        expect(labelsOf(metric), `${label} of ${metric} in ${expr}`).toContain(label);
        if (OF_PROMETHEUS.includes(label)) continue;
        const values = [...(exposed.get(metric)?.get(label) ?? [])];
        const wanted = op === "=~" ? value.split("|") : [value];
        expect(values, `${label} of ${metric} in ${expr}`).toEqual(expect.arrayContaining(wanted));
      }
    }
    for (const label of [...groupedBy, ...legendLabels]) expect([...allLabels], expr).toContain(label);
  };

  test.each(rules)("are what rule $record$alert asks for", ({ expr, annotations = {} }) => {
    const said = Object.values(annotations).join("\n");
    check(
      expr,
      [...said.matchAll(/\$labels\.(\w+)/g)].map(([, label = ""]) => label),
    );
  });

  test.each(dashboardQueries)("are what Grafana's panel “$title” asks for: $expr", ({ expr, legendLabels }) => {
    check(expr, legendLabels);
  });

  test("are what the dashboard's variables list", () => {
    const variables = dashboard.templating.list.filter(({ type }) => type === "query");
    expect(variables.map(({ name }) => name)).toEqual(["run", "worker"]);
    for (const { definition = "" } of variables) {
      const [, metric = "", label = ""] = /^label_values\((\w+), (\w+)\)$/.exec(definition) ?? [];
      expect(exposed.has(metric), definition).toBe(true);
      expect(labelsOf(metric)).toContain(label);
    }
  });

  test("are all of ours on the dashboard or in a rule, or told elsewhere on it", () => {
    const asked = new Set([...rules, ...dashboardQueries].flatMap(({ expr }) => readQuery(expr).selectors));
    const names = new Set([...asked].map(({ metric }) => metric));
    const left = [...exposed.keys()].filter((metric) => metric.startsWith("cim_replay_") && !names.has(metric));
    // Of units at work, by worker: the run's figures of the same name tell more.
    expect(left.sort()).toEqual([
      "cim_replay_unit_entries_written",
      "cim_replay_unit_errors",
      "cim_replay_unit_events_applied",
      "cim_replay_unit_events_read",
      "cim_replay_unit_retries",
    ]);
  });
});
