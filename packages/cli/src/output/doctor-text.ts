import type { Finding, Verdict } from "../doctor/finding.ts";

const WIDTH = "problem".length;

/** A line each, and their sum. */
export function doctorText(findings: readonly Finding[]): string {
  const lines = findings.map(({ verdict, about, found, advice }) => {
    const rest = advice === null ? "" : `. ${advice}`;
    return `${verdict.padEnd(WIDTH)}  ${about}: ${found}${rest}`;
  });
  return [...lines, "", sumOf(findings)].join("\n");
}

function sumOf(findings: readonly Finding[]): string {
  const count = (verdict: Verdict) => findings.filter((finding) => finding.verdict === verdict).length;
  const [problems, warnings] = [count("problem"), count("warning")];
  const rest = `${count("ok")} ok`;
  if (problems + warnings === 0) return `All is well: ${rest}.`;
  return `${plural(problems, "problem")}, ${plural(warnings, "warning")}, ${rest}.`;
}

function plural(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}
