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
import { aligned, barRows, LEGEND, resultRows } from "./report.ts";
import { type Results, readResults, writeResults } from "./results.ts";
import { runRounds } from "./rounds.ts";
import { showFit } from "./scaling/show-fit.ts";
import { Summary } from "./summary.ts";
import { requireSpace } from "./space.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

async function chooseCases(options: BenchOptions): Promise<Case[]> {
  const hasSources = (await helpOfCommand()).includes("--source ");
  return wanted(casesOf(options, datasetsOf(options), { hasSources }), options.only);
}

/** Everything in one run on one machine, and the readings in a file before anything is made of them. */
async function measureAll(options: BenchOptions): Promise<Results> {
  const cases = await chooseCases(options);
  const datasets = new Set(cases.map(({ dataset }) => dataset));
  await requireSpace(datasets);
  const startedAt = Date.now();
  const machine = describeMachine();
  const results = await withBenches([...new Set([...datasets].map(({ server }) => server))], async (benches) => {
    for (const dataset of datasets) await standUp(benchOf(benches, dataset.server), dataset);
    const versions = await describeVersions(benches);
    const taken = await runRounds(cases, options, (one) => measure(benches, one));
    return { machine, versions, cases: taken };
  });
  return {
    takenAt: new Date(startedAt).toISOString(),
    command: ["npm run bench --", ...process.argv.slice(2)].join(" "),
    minutes: (Date.now() - startedAt) / 60_000,
    ...results,
  };
}

function benchOf(benches: Benches, line: Case["dataset"]["server"]) {
  const bench = benches.get(line);
  if (!bench) throw new Error(`Cannot publish: no nats-server of line ${line} runs.`);
  return bench;
}

async function resultsFor({ action, options, from }: Invocation): Promise<Results> {
  if (action === "render") return readResults(resolve(ROOT, from));
  const results = await measureAll(options);
  const file = join(ROOT, "bench-results", `${results.takenAt.replaceAll(":", "-")}.json`);
  await writeResults(file, results);
  console.error(`All readings: ${file}`);
  return results;
}

/** Whether every measurement ended as it should, and every bar that was judged is met. */
async function run(invocation: Invocation): Promise<boolean> {
  if (invocation.action === "list") {
    console.log(listOf(await chooseCases(invocation.options)));
    return true;
  }
  const results = await resultsFor(invocation);
  const summary = new Summary(results.cases);
  const bars = judge(summary);
  console.log(`${aligned(resultRows(results.cases, summary))}\n\n${LEGEND}\n`);
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
