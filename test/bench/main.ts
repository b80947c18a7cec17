import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ReplayError, UsageError } from "@cim-replay/core";
import { judge } from "./bars.ts";
import { type Benches, standUp, withBenches } from "./bench-setup.ts";
import type { Case } from "./case.ts";
import { casesOf, wanted } from "./cases.ts";
import { helpOfCommand } from "./command-run.ts";
import { datasetsOf } from "./datasets.ts";
import { listOf } from "./list.ts";
import { writeDocs } from "./docs/write-docs.ts";
import { describeMachine, describeVersions } from "./machine.ts";
import { measure } from "./measure.ts";
import { type BenchOptions, type Invocation, parseInvocation } from "./options.ts";
import { aligned, barRows, LEGEND, resultRows, stageTables } from "./report.ts";
import { type CaseResult, type Results, readResults, writeResults } from "./results.ts";
import { runRounds } from "./rounds.ts";
import { showFit } from "./scaling/show-fit.ts";
import { Summary } from "./summary.ts";
import { requireSpace } from "./space.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

async function chooseCases(options: BenchOptions): Promise<Case[]> {
  const hasSources = (await helpOfCommand()).includes("--source ");
  return wanted(casesOf(options, datasetsOf(options), { hasSources }), options.only);
}

/** Everything in one run on one machine. Readings are in a file as soon as they are taken. */
async function measureAll(options: BenchOptions): Promise<Results> {
  const cases = await chooseCases(options);
  const datasets = new Set(cases.map(({ dataset }) => dataset));
  await requireSpace(datasets);
  const startedAt = Date.now();
  const takenAt = new Date(startedAt).toISOString();
  const command = ["npm run bench --", ...process.argv.slice(2)].join(" ");
  const machine = describeMachine();
  const file = join(ROOT, "bench-results", `${takenAt.replaceAll(":", "-")}.json`);
  console.error(`All readings: ${file}`);
  return withBenches([...new Set([...datasets].map(({ server }) => server))], async (benches) => {
    for (const dataset of datasets) await standUp(benchOf(benches, dataset.server), dataset);
    const about = { takenAt, command, machine, versions: await describeVersions(benches) };
    const resultsOf = (taken: readonly CaseResult[]): Results => {
      return { ...about, minutes: (Date.now() - startedAt) / 60_000, cases: [...taken] };
    };
    const measureOne = (one: Case) => measure(benches, one);
    return resultsOf(await runRounds(cases, options, measureOne, (taken) => writeResults(file, resultsOf(taken))));
  });
}

function benchOf(benches: Benches, line: Case["dataset"]["server"]) {
  const bench = benches.get(line);
  if (!bench) throw new Error(`Cannot publish: no nats-server of line ${line} runs.`);
  return bench;
}

/** Whether every measurement ended as it should, and every bar that was judged is met. */
async function run(invocation: Invocation): Promise<boolean> {
  if (invocation.action === "list") {
    console.log(listOf(await chooseCases(invocation.options)));
    return true;
  }
  const { action, options, from } = invocation;
  const results = action === "render" ? await readResults(resolve(ROOT, from)) : await measureAll(options);
  const summary = new Summary(results.cases);
  const bars = judge(summary);
  console.log(`${aligned(resultRows(results.cases, summary))}\n\n${LEGEND}\n`);
  for (const table of stageTables(summary)) console.log(`${aligned(table)}\n`);
  console.log(aligned(barRows(bars)));
  if (invocation.fit) console.log(showFit(results));
  if (invocation.writeDocs) await writeDocs(ROOT, results);
  const hasFailures = results.cases.some(({ failures }) => failures.length > 0);
  return !hasFailures && bars.every(({ met }) => met !== false);
}

/** 1: a bar is not met, or a measurement failed altogether; 2: a wrong flag or file. */
async function main(argv: readonly string[]): Promise<number> {
  try {
    return (await run(parseInvocation(argv))) ? 0 : 1;
  } catch (error) {
    if (!(error instanceof ReplayError)) throw error;
    console.error(error.message);
    return error instanceof UsageError ? 2 : 1;
  }
}

process.exitCode = await main(process.argv.slice(2));
