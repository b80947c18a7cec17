import { WAITING } from "./profiled.ts";
import { figure } from "./report.ts";
import type { Results } from "./results.ts";

/** A function is shown that takes so many microseconds an event in one of the jobs. */
const LEAST_MICROS = 0.1;

/** Where the main threads of workers are, by function, in each job that was profiled: µs an event, the most first. */
export function profileRows({ cases }: Pick<Results, "cases">): string[][] {
  const jobs = cases.flatMap(({ name, readings }) => {
    const functions = readings.find((reading) => reading.functions !== undefined)?.functions;
    return functions ? [{ job: name.replace(/, profiled$/, ""), functions }] : [];
  });
  if (jobs.length === 0) return [];
  const names = [...new Set(jobs.flatMap(({ functions }) => Object.keys(functions)))].filter(
    (name) => name !== WAITING,
  );
  const most = (name: string) => Math.max(...jobs.map(({ functions }) => functions[name] ?? 0));
  const shown = names.filter((name) => most(name) >= LEAST_MICROS).sort((a, b) => most(b) - most(a));
  const rest = names.filter((name) => most(name) < LEAST_MICROS);
  const row = (head: string, of: readonly string[]) => [
    head,
    ...jobs.map(({ functions }) => {
      const sum = of.reduce((micros, name) => micros + (functions[name] ?? 0), 0);
      return figure(sum > 0 ? sum : null, 2);
    }),
  ];
  return [
    ["µs an event, in the function itself", ...jobs.map(({ job }) => job)],
    ...shown.map((name) => row(`\`${name}\``, [name])),
    row(`${rest.length} others`, rest),
    row("**at work**", names),
    row("waiting", [WAITING]),
  ];
}
