import { formatCount } from "@cim-replay/core";
import { failingRules, type RuleResult, type Validation } from "../rules/validation.ts";

/** `graph in bucket CIM_PROJECTIONS: the rules do not hold`. */
export function verdictInWords({ verdict, domain, bucket, results }: Validation): string {
  const allHold = results.every(({ failed }) => failed === 0);
  const verdictText = verdict === "fails" ? "the rules do not hold" : allHold ? "the rules hold" : "no errors";
  return `${domain} in bucket ${bucket.name}: ${verdictText}`;
}

/** How many rules hold, and of what weight those are that do not. */
export function outcomeInWords({ results }: Validation): string {
  const { error, warning, info } = failingRules(results);
  const failing = error + warning + info;
  const unasked = results.filter(({ checked }) => checked === 0).length;
  const left = unasked > 0 ? ` Of ${counted(unasked, "rule")} nothing was to be asked.` : "";
  if (failing === 0) return (results.length === 1 ? "The one rule holds." : `All ${results.length} rules hold.`) + left;
  const weights = [counted(error, "error"), counted(warning, "warning"), `${info} for information`];
  const shown = weights.filter((_, i) => [error, warning, info][i] !== 0).join(", ");
  return `${formatCount(failing)} of ${counted(results.length, "rule")} ${failing === 1 ? "does" : "do"} not hold: ${shown}.${left}`;
}

/** What became of one rule. */
export function resultInWords({ scope, checked, skipped, failed, notEvaluated }: RuleResult): string {
  if (scope !== "entry") {
    if (checked === 0) return "Not asked: its `when` does not hold.";
    if (failed === 0) return "Holds.";
    return notEvaluated > 0 ? "Cannot be evaluated." : "Does not hold.";
  }
  const left = skipped > 0 ? ` ${counted(skipped, "entry")} not asked.` : "";
  if (checked === 0) return `No entry was asked.${left}`;
  if (failed === 0)
    return `Holds for ${checked === 1 ? "the one entry" : `all ${formatCount(checked)} entries`}.${left}`;
  const unclear = notEvaluated > 0 ? `, ${formatCount(notEvaluated)} of them because it cannot be evaluated` : "";
  return `Does not hold for ${formatCount(failed)} of ${counted(checked, "entry")}${unclear}.${left}`;
}

/** Null where nobody wrote while the entries were read. */
export function writtenMeanwhileInWords({ writtenMeanwhile }: Validation): string | null {
  if (writtenMeanwhile === 0) return null;
  return (
    `${counted(writtenMeanwhile, "entry")} came or changed while this was read, and may be counted twice. ` +
    "Validate again while nobody writes."
  );
}

/** `2026-02-01 12:00:01 UTC`: a time that lines may break in. */
export function timeInWords(rfc3339: string): string {
  return rfc3339.replace("T", " ").replace(/(\.\d+)?Z$/, " UTC");
}

export function counted(count: number, noun: string): string {
  const plural = noun.endsWith("y") ? `${noun.slice(0, -1)}ies` : `${noun}s`;
  return `${formatCount(count)} ${count === 1 ? noun : plural}`;
}
