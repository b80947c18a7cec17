import { parseArgs } from "node:util";
import { errorMessage, UsageError } from "@cim-replay/core";

const SUITES = ["default", "full"] as const;
export type SuiteName = (typeof SUITES)[number];

export interface BenchOptions {
  readonly suite: SuiteName;
  /** Rounds of what the bars are about, and of what only differs from it in one thing. */
  readonly rounds: number;
  readonly variantRounds: number;
  readonly events: number;
  /** Aggregates of the stream that the bars are about, and of the one with many. */
  readonly aggregates: number;
  readonly manyAggregates: number;
  /** 0: every aggregate as likely as any other. */
  readonly skew: number;
  /** Names of measurements hold one of these, or are one after its "="; empty: all. */
  readonly only: readonly string[];
  /** Also a stream four times as long. */
  readonly long: boolean;
}

/** What is to be done: to measure, or something with what was measured before. */
export interface Invocation {
  readonly action: "measure" | "list" | "render";
  readonly options: BenchOptions;
  /** With "render": the readings' file. */
  readonly from: string;
  readonly fit: boolean;
  readonly writeDocs: boolean;
}

const VARIANT_ROUNDS = "2";
export const COMMITTED_RESULTS = "docs/benchmarks.json";

const HELP = `npm run bench -- [flags]
  --suite default|full  default: whole jobs on two streams, minutes; full: every dimension, about 40 minutes at 1M events
  --list                what would be measured, and on what; measures nothing
  --rounds N            of what the bars are about, interleaved; medians are shown (5)
  --variant-rounds N    of what differs from it in one thing (full: 2, default: as many as the others)
  --events N            events of a stream: 1000000, 500k, 10M, 100M (1M)
  --aggregates N        of the stream that the bars are about (20k)
  --many-aggregates N   of the stream with many (400k)
  --skew S              of the choice of aggregates; 0: uniform (0)
  --only TEXT           only measurements whose names hold it, or, as =NAME, only that one; may be given again
  --long                also peak memory on a stream four times as long (full has it)
  --fit                 also fits the cost model of docs/scaling.md and shows its residuals
  --write-docs          also writes docs/benchmarks.json, docs/benchmarks.md, docs/scaling.md and their charts
  --from FILE           measures nothing: shows what is in FILE, with --fit or --write-docs what follows from it
  --fit without --suite, --only or --events works on ${COMMITTED_RESULTS}`;

const FLAGS = {
  suite: { type: "string" },
  list: { type: "boolean", default: false },
  rounds: { type: "string", default: "5" },
  "variant-rounds": { type: "string" },
  events: { type: "string" },
  aggregates: { type: "string", default: "20k" },
  "many-aggregates": { type: "string", default: "400k" },
  skew: { type: "string", default: "0" },
  only: { type: "string", multiple: true, default: [] as string[] },
  long: { type: "boolean", default: false },
  fit: { type: "boolean", default: false },
  "write-docs": { type: "boolean", default: false },
  from: { type: "string" },
  help: { type: "boolean", default: false },
} as const;

/** Prints the help and ends the process where that is asked for. Throws UsageError. */
export function parseInvocation(argv: readonly string[]): Invocation {
  const values = readFlags(argv);
  if (values.help) {
    console.log(HELP);
    process.exit(0);
  }
  const suite = suiteNamed(values.suite ?? "default");
  const asksToMeasure = values.suite !== undefined || values.events !== undefined || values.only.length > 0;
  const renders = values.from !== undefined || (values.fit && !asksToMeasure);
  const variantRounds = values["variant-rounds"] ?? (suite === "full" ? VARIANT_ROUNDS : values.rounds);
  return {
    action: values.list ? "list" : renders ? "render" : "measure",
    from: values.from ?? COMMITTED_RESULTS,
    fit: values.fit,
    writeDocs: values["write-docs"],
    options: {
      suite,
      rounds: count("rounds", values.rounds),
      variantRounds: count("variant-rounds", variantRounds),
      events: count("events", values.events ?? "1M"),
      aggregates: count("aggregates", values.aggregates),
      manyAggregates: count("many-aggregates", values["many-aggregates"]),
      skew: exponent(values.skew),
      only: values.only,
      long: values.long || suite === "full",
    },
  };
}

function readFlags(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: FLAGS }).values;
  } catch (error) {
    throw new UsageError(`Cannot run the bench: ${errorMessage(error)}. See --help.`, { cause: error });
  }
}

function exponent(text: string): number {
  const value = Number(text);
  if (text !== "" && value >= 0 && value <= 10) return value;
  throw new UsageError(`Cannot read --skew: "${text}" is no number from 0 to 10. See --help.`);
}

function suiteNamed(name: string): SuiteName {
  const found = SUITES.find((suite) => suite === name);
  if (found) return found;
  throw new UsageError(`Cannot measure suite "${name}": there are ${SUITES.join(" and ")}. See --help.`);
}

/** `1000000`, `500k`, `10M`. */
function count(flag: string, text: string): number {
  const [, digits = "", unit = ""] = /^(\d+)([kM]?)$/.exec(text) ?? [];
  const value = Number(digits) * (unit === "M" ? 1e6 : unit === "k" ? 1e3 : 1);
  if (value > 0) return value;
  throw new UsageError(
    `Cannot read --${flag}: "${text}" is no whole number above 0, such as 500000, 500k or 10M. See --help.`,
  );
}
