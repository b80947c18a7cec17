import { type Bench, configFile, standUp, withBench } from "./bench-setup.ts";
import { type Dataset, DOMAIN } from "./dataset.ts";
import { ordinary } from "./datasets.ts";
import { bar, type Measured, measureCommand, row } from "./measured-command.ts";
import { median } from "./statistics.ts";

const AGGREGATES = 20_000;

/** The flags with which commands find a dataset and the bucket of this one. */
const of = (bench: Bench, dataset: Dataset) => [
  ...["--domain", DOMAIN, "--config", configFile(bench, dataset), "--target", `${dataset.stream}-entries`],
];

async function replay(bench: Bench, dataset: Dataset): Promise<Measured> {
  const alone = ["--local-workers", "1", "--no-backup-first", "--metrics-port", "off"];
  return measureCommand(bench, "domain-replay", [...of(bench, dataset), ...alone]);
}

/** A full verification takes no more time than a replay with one worker: by turns, medians. */
async function asFast(bench: Bench, events: number, rounds: number): Promise<boolean> {
  const dataset = ordinary("VERIFIED", { events, aggregates: AGGREGATES });
  await standUp(bench, dataset);
  const [replays, verifications]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    const replayed = await replay(bench, dataset);
    const verified = await measureCommand(bench, "verify-domain", [...of(bench, dataset), "--level", "full"]);
    row(`domain-replay, one worker, ${events} events`, events, replayed);
    row(`verify-domain --level full, ${events} events`, events, verified);
    replays.push(replayed.seconds);
    verifications.push(verified.seconds);
  }
  const ratio = median(verifications) / median(replays);
  return bar(`full verification in no more time than the replay (${ratio.toFixed(2)} of it)`, ratio <= 1);
}

/** What each level of a verification of so many keys takes. */
async function ofManyKeys(bench: Bench, keys: number): Promise<void> {
  const dataset = ordinary("KEYS", { events: keys * 2, aggregates: keys });
  await standUp(bench, dataset);
  row(`domain-replay, ${keys} aggregates`, dataset.events, await replay(bench, dataset));
  for (const level of ["counts", "content", "full"]) {
    const args = [...of(bench, dataset), "--level", level];
    row(
      `verify-domain --level ${level}, ${keys} keys`,
      dataset.events,
      await measureCommand(bench, "verify-domain", args),
    );
  }
}

/** `npm run bench:verify [events] [keys] [rounds]`: a million of each, and five rounds. */
const [events = 1_000_000, keys = 1_000_000, rounds = 5] = process.argv.slice(2).map(Number);
const passed = await withBench(async (bench) => {
  await ofManyKeys(bench, keys);
  return asFast(bench, events, rounds);
});
process.exitCode = passed ? 0 : 1;
