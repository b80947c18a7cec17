import type { Case } from "./case.ts";
import { casesOf } from "./cases.ts";
import { datasetsOf } from "./datasets.ts";
import { parseInvocation } from "./options.ts";
import type { Measured } from "./reading.ts";
import type { Results } from "./results.ts";

/** Every case of the full suite, of a build that has all sources. */
export function fullCases(): Case[] {
  const { options } = parseInvocation(["--suite", "full"]);
  return casesOf(options, datasetsOf(options), { hasSources: true });
}

/** A reading of `events` in `seconds`; the rest as given. */
export function readingOf(events: number, seconds: number, changes: Partial<Measured> = {}): Measured {
  return {
    events,
    seconds,
    workerMicros: events,
    serverMicros: events,
    coordinatorMicros: events,
    peakBytes: 1,
    entries: null,
    units: null,
    source: null,
    commandSeconds: null,
    firstUnitSeconds: null,
    stages: null,
    ...changes,
  };
}

/** A run of the bench in which each case has the readings that `measure` gives, a round each. */
export function resultsOf(cases: readonly Case[], measure: (one: Case) => readonly Measured[]): Results {
  return {
    takenAt: "2026-01-31T12:00:00.000Z",
    command: "npm run bench --",
    minutes: 1,
    machine: { cores: 2, cpu: "a processor", memoryBytes: 2 ** 34, os: "a system", loadBefore: 0 },
    versions: {},
    cases: cases.map((one) => {
      const { name, group, dataset, ceiling, work } = one;
      const readings = measure(one).map((reading, at) => ({ round: at + 1, ...reading }));
      return { name, group, dataset, ceiling, work, readings, failures: [] };
    }),
  };
}
