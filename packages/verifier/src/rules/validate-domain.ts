import { type DomainSettings, entryKey, ReplayError } from "@cim-replay/core";
import { type BucketFacts, type NatsClient, readEntries, type StreamFacts, streamFacts } from "@cim-replay/nats";
import { requireBucket } from "../entries-source.ts";
import { CollectStep } from "./collect-step.ts";
import { countDomain, countQuarantined } from "./count-domain.ts";
import { EntryRun } from "./entry-run.ts";
import { EntryRuleStep, type EntryStep } from "./entry-step.ts";
import { ENTRY_BUDGET_MS } from "./limits.ts";
import type { Rule, RuleSet } from "./rule.ts";
import { failingRules, type Validation, type WholeContexts } from "./validation.ts";

export interface DomainToValidate {
  readonly client: NatsClient;
  readonly domain: string;
  readonly domainSettings: DomainSettings;
  readonly bucket: string;
  readonly rules: RuleSet;
  readonly toolVersion: string;
  readonly signal: AbortSignal;
  /** How long a rule may make one entry take before it is stopped there and fails. */
  readonly entryBudgetMs?: number;
}

/** No other rule can be asked about what it fails for. */
const READABLE: Rule = {
  name: "entry-is-json",
  description: "Every entry's value is JSON that can be read.",
  scope: "entry",
  severity: "error",
  when: null,
  condition: () => true,
  message: () => "",
  collect: [],
  eventsAsked: "nothing",
};

/**
 * Asks every rule about the entries of a domain, in one pass over them; memory does not grow with their number. Throws
 * UsageError where there is no bucket, ReplayError where it has no entry of the domain.
 */
export async function validateDomain(task: DomainToValidate): Promise<Validation> {
  const { domain, rules, toolVersion } = task;
  const startedAt = new Date().toISOString();
  const bucket = await requireBucket(task.client, task.bucket, `validate ${domain}`);
  const stream = await streamFacts(task.client, task.domainSettings.stream);
  const reading = new EntryRuleStep(READABLE);
  const steps = rules.rules.map((rule) => (rule.scope === "entry" ? new EntryRuleStep(rule) : new CollectStep(rule)));
  const read = await takeEntries(task, bucket, new EntryRun(reading, steps, task.entryBudgetMs ?? ENTRY_BUDGET_MS));
  const whole = await wholeContexts(task, stream, read.entries);
  const results = [reading, ...steps].map((step: EntryStep) => step.result(whole));
  return {
    version: 1,
    verdict: failingRules(results).error > 0 ? "fails" : "holds",
    domain,
    ...read,
    bucket: { name: bucket.bucket, created: bucket.created, lastRevision: bucket.lastRevision },
    stream: stream && { name: stream.name, created: stream.created, lastSeq: stream.lastSeq },
    rules: { source: rules.source, sha256: rules.sha256 },
    toolVersion,
    startedAt,
    endedAt: new Date().toISOString(),
    results,
  };
}

async function takeEntries(
  { client, domain, signal }: DomainToValidate,
  { bucket, lastRevision }: BucketFacts,
  run: EntryRun,
): Promise<Pick<Validation, "entries" | "writtenMeanwhile">> {
  let entries = 0;
  let writtenMeanwhile = 0;
  for await (const batch of readEntries(client, bucket, entryKey(domain, "x").replace(/x$/, ">"))) {
    signal.throwIfAborted();
    entries += batch.length;
    writtenMeanwhile += batch.filter(({ revision }) => revision > lastRevision).length;
    run.take(batch);
  }
  if (entries > 0) return { entries, writtenMeanwhile };
  throw new ReplayError(
    `Cannot validate ${domain}: bucket ${bucket} holds no entry of it. Replay the domain first, or check its name.`,
  );
}

/** Events are counted only where a rule asks for them, and one by one only where it asks for their types. */
async function wholeContexts(
  task: DomainToValidate,
  stream: StreamFacts | null,
  entries: number,
): Promise<WholeContexts> {
  const domain = { entries: BigInt(entries) };
  const countRules = task.rules.rules.filter(({ scope }) => scope === "counts");
  if (countRules.length === 0) return { domain, counts: domain };
  const asked = new Set(countRules.map(({ eventsAsked }) => eventsAsked));
  const quarantined = await countQuarantined(task.client, task.domain, task.bucket);
  if (!asked.has("total") && !asked.has("types")) return { domain, counts: { ...domain, quarantined } };
  const events = await countDomain(task.client, { ...task, facts: stream }, asked.has("types"));
  return { domain, counts: { ...domain, quarantined, events } };
}
