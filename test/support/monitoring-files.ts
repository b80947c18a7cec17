import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { z } from "zod";

const deploy = new URL("../../deploy/", import.meta.url);

export const prometheusFile = (name: string) => fileURLToPath(new URL(`prometheus/${name}`, deploy));

const rulesSchema = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({
          record: z.string().optional(),
          alert: z.string().optional(),
          expr: z.string(),
          annotations: z.record(z.string(), z.string()).optional(),
        }),
      ),
    }),
  ),
});

export const rules = rulesSchema
  .parse(parse(readFileSync(prometheusFile("rules.yml"), "utf8")))
  .groups.flatMap((group) => group.rules);

const rulesTestSchema = z.object({
  tests: z.array(
    z.object({
      alert_rule_test: z
        .array(z.object({ alertname: z.string(), exp_alerts: z.array(z.unknown()).default([]) }))
        .default([]),
    }),
  ),
});

/** Each look at an alert: whether it is expected to fire there. */
export const alertTests = rulesTestSchema
  .parse(parse(readFileSync(prometheusFile("rules.test.yml"), "utf8")))
  .tests.flatMap((test) => test.alert_rule_test)
  .map(({ alertname, exp_alerts: expected }) => ({ alert: alertname, fires: expected.length > 0 }));

const dashboardSchema = z.object({
  templating: z.object({
    list: z.array(z.object({ name: z.string(), type: z.string(), definition: z.string().optional() })),
  }),
  panels: z.array(
    z.object({
      title: z.string(),
      type: z.string(),
      targets: z.array(z.object({ expr: z.string(), legendFormat: z.string() })).default([]),
    }),
  ),
});

export const dashboard = dashboardSchema.parse(
  JSON.parse(readFileSync(new URL("grafana/cim-replay.json", deploy), "utf8")),
);

/** Every query of every panel, with Grafana's variables in. */
export const dashboardQueries = dashboard.panels.flatMap(({ title, targets }) =>
  targets.map(({ expr, legendFormat }) => ({
    title,
    legendLabels: [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = ""]) => label),
    expr: expr.replaceAll("$__rate_interval", "1m").replaceAll(/\$(run|worker)\b/g, ".*"),
  })),
);
