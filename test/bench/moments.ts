import { type Bench, configFile, standUp, withBench } from "./bench-setup.ts";
import { type Dataset, DOMAIN } from "./dataset.ts";
import { ordinary } from "./datasets.ts";
import { bar, type Measured, measureCommand, row } from "./measured-command.ts";
import { median } from "./statistics.ts";

const AGGREGATES = 20_000;
const AT_MOST = 1.1;
const BASES = ["event", "server"] as const;

/** Into a bucket of its own each time, so that neither has anything to compare, to keep or to remove. */
async function measured(bench: Bench, { stream }: Dataset, tool: string, args: readonly string[]): Promise<Measured> {
  const target = `${stream}-entries`;
  const found = await measureCommand(bench, tool, [...args, "--target", target, "--no-backup-first"]);
  await bench.client.jsm.streams.delete(`KV_${target}`);
  return found;
}

/** `npm run bench:moments [events] [rounds]`: two million, and five. A state at a moment takes what a replay takes, and a tenth more at most. */
const [events = 2_000_000, rounds = 5] = process.argv.slice(2).map(Number);
const passed = await withBench(async (bench) => {
  const dataset = ordinary("MOMENTS", { events, aggregates: AGGREGATES });
  await standUp(bench, dataset);
  const settings = ["--config", configFile(bench, dataset)];
  const seconds = new Map<string, number[]>();
  const note = (what: string, found: Measured) => {
    row(`${what}, ${events} events`, events, found);
    seconds.set(what, [...(seconds.get(what) ?? []), found.seconds]);
  };
  const replay = () =>
    measured(bench, dataset, "domain-replay", [...settings, "--metrics-port", "off", "--domain", DOMAIN]);
  // Not counted: whoever comes first finds nothing in any cache.
  await replay();
  for (let round = 0; round < rounds; round++) {
    note("domain-replay", await replay());
    for (const basis of BASES) {
      const moment = ["--domains", DOMAIN, "--target-time", new Date().toISOString(), "--time-basis", basis];
      note(
        `point-in-time-replay by ${basis} time`,
        await measured(bench, dataset, "point-in-time-replay", [...settings, ...moment]),
      );
    }
  }
  const of = (what: string) => median(seconds.get(what) ?? []);
  return BASES.map((basis) => {
    const ratio = of(`point-in-time-replay by ${basis} time`) / of("domain-replay");
    const what = `a moment by ${basis} time in the time of a replay and a tenth (${ratio.toFixed(2)} of it)`;
    return bar(what, ratio <= AT_MOST);
  });
});
process.exitCode = passed.every(Boolean) ? 0 : 1;
