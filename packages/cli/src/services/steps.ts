import { setTimeout as sleep } from "node:timers/promises";
import type { Notes } from "./notes.ts";
import { type Argv, runProgram } from "./run-program.ts";
import type { Probe, Service, ServiceState } from "./service.ts";

export type Outcome =
  | "stopped"
  | "started"
  /** It was so already, or was not running before and so is not started. */
  | "left alone"
  | "failed"
  /** One before it failed. */
  | "not tried"
  /** A dry run. */
  | "would be stopped"
  | "would be started"
  | "shown";

export interface ServiceResult {
  readonly service: Service;
  readonly outcome: Outcome;
  readonly probe: Probe;
  /** What a dry run would do. */
  readonly command: Argv | null;
  /** What went wrong. */
  readonly trouble: string;
}

export interface StepContext {
  readonly notes: Notes;
  readonly signal: AbortSignal;
  readonly dryRun: boolean;
  /** Goes on with the next service where one failed. */
  readonly keepGoing: boolean;
  note(line: string): void;
}

const FIRST_POLL_MS = 100;
const LONGEST_POLL_MS = 2_000;
const PROBE_TIMEOUT_MS = 15_000;

export function result(
  service: Service,
  outcome: Outcome,
  probe: Probe,
  more: Partial<ServiceResult> = {},
): ServiceResult {
  return { service, outcome, probe, command: null, trouble: "", ...more };
}

export function probe(service: Service, signal: AbortSignal, withinMs = PROBE_TIMEOUT_MS): Promise<Probe> {
  const timeoutMs = Math.max(1, Math.min(withinMs, PROBE_TIMEOUT_MS, service.timeoutMs));
  return service.probe((argv) => runProgram(argv, { cwd: service.folder, timeoutMs, signal }));
}

/** Runs `argv` and then asks until the service is in `wanted`; `trouble` is empty where it came to be. */
export async function bringTo(
  wanted: ServiceState,
  service: Service,
  argv: Argv,
  signal: AbortSignal,
): Promise<{ probe: Probe; trouble: string }> {
  const endsAt = performance.now() + service.timeoutMs;
  const ran = await runProgram(argv, { cwd: service.folder, timeoutMs: service.timeoutMs, signal });
  let pollMs = FIRST_POLL_MS;
  for (;;) {
    // Asked also where the program failed: what counts is what is so.
    const found = await probe(service, signal);
    if (found.state === wanted && ran.status === 0) return { probe: found, trouble: "" };
    if (ran.trouble !== "") return { probe: found, trouble: ran.trouble };
    if (signal.aborted) return { probe: found, trouble: "interrupted" };
    const leftMs = endsAt - performance.now();
    if (leftMs <= 0) return { probe: found, trouble: `it is not ${wanted} after ${service.timeoutMs / 1000} s` };
    await sleep(Math.min(pollMs, leftMs), undefined, { signal }).catch(() => undefined);
    pollMs = Math.min(pollMs * 2, LONGEST_POLL_MS);
  }
}

/** One after another. After the first that failed, the rest is only looked at, unless it shall be gone on. */
export async function inOrder(
  services: readonly Service[],
  context: StepContext,
  step: (service: Service, context: StepContext) => Promise<ServiceResult>,
): Promise<ServiceResult[]> {
  const results: ServiceResult[] = [];
  for (const service of services) {
    const isHalted = !context.keepGoing && results.some(({ outcome }) => outcome === "failed");
    if (context.signal.aborted || isHalted) {
      const found = await probe(service, new AbortController().signal);
      results.push(result(service, "not tried", found));
    } else results.push(await step(service, context));
  }
  return results;
}
