import { figure } from "../report.ts";
import type { Results } from "../results.ts";
import { TERMS } from "./terms.ts";
import { type Checked, error, type Fit } from "./fit.ts";
import { scenariosOf } from "./scenarios.ts";

export function costRows({ model }: Fit): string[][] {
  const rows = TERMS.map(({ program, what }, at) => [program, what, figure(model.micros[at] ?? 0, 2)]);
  return [["program", "cost of", "µs of CPU"], ...rows];
}

export function clockRows({ model }: Fit): string[][] {
  return [
    ["", ""],
    ["seconds that no amount of work explains", figure(model.clock.constantSeconds, 2)],
    ["what starting takes to what it would at best", figure(model.clock.startTimes, 2)],
    ["what the other phases take to what they would at best", figure(model.clock.workTimes, 2)],
  ];
}

/** Measured and predicted, with the error of each. */
export function checkRows(checked: readonly Checked[]): string[][] {
  const percent = (one: Checked, of: Parameters<typeof error>[1]) => `${signed(error(one, of) * 100)}%`;
  return [
    ["run", "measured s", "predicted s", "off", "worker CPU off", "server CPU off", "command CPU off"],
    ...checked.map((one) => [
      one.name,
      figure(one.measured.seconds, 2),
      figure(one.predicted.seconds, 2),
      ...(["seconds", "worker", "server", "command"] as const).map((of) => percent(one, of)),
    ]),
  ];
}

export function scenarioRows(results: Results): string[][] {
  return [
    ["", "source", "units", "events", "hours", "bound by", "GiB of states a node", "how far from what was run"],
    ...scenariosOf(results).map(({ what, source, units, events, hours, boundBy, gibibytesANode, basis }) => [
      what,
      source,
      figure(units, 0),
      figure(events, 0),
      figure(hours, hours < 10 ? 1 : 0),
      boundBy,
      figure(gibibytesANode, 1),
      basis,
    ]),
  ];
}

function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${figure(Math.abs(value), 0)}`;
}
