import { parseArgs } from "node:util";

export interface BenchOptions {
  readonly rounds: number;
  readonly events: number;
  /** Aggregates of the stream that the bars are about, and of the one with many. */
  readonly aggregates: number;
  readonly manyAggregates: number;
  /** 0: every aggregate as likely as any other. */
  readonly skew: number;
  /** Names of measurements hold one of these; empty: all. */
  readonly only: readonly string[];
  /** Also a stream four times as long. */
  readonly long: boolean;
}

const HELP = `npm run bench -- [flags]
  --rounds N            measurements of each kind, interleaved; medians are shown (5)
  --events N            events of a stream (1000000)
  --aggregates N        of the stream that the bars are about (20000)
  --many-aggregates N   of the other stream (400000)
  --skew S              of the choice of aggregates; 0: uniform (0)
  --only TEXT           only measurements whose names hold it; may be given again
  --long                also peak memory on a stream four times as long`;

/** Prints the help and ends the process where that is asked for; throws on a flag that is not known. */
export function parseOptions(argv: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      rounds: { type: "string", default: "5" },
      events: { type: "string", default: "1000000" },
      aggregates: { type: "string", default: "20000" },
      "many-aggregates": { type: "string", default: "400000" },
      skew: { type: "string", default: "0" },
      only: { type: "string", multiple: true, default: [] },
      long: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    process.exit(0);
  }
  return {
    rounds: whole("rounds", values.rounds),
    events: whole("events", values.events),
    aggregates: whole("aggregates", values.aggregates),
    manyAggregates: whole("many-aggregates", values["many-aggregates"]),
    skew: Number(values.skew),
    only: values.only,
    long: values.long,
  };
}

function whole(flag: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`Cannot read --${flag}: "${text}" is no whole number above 0. See --help.`);
}
