import { type Plan, ReplayError, type RunRecord, targetsOf, type UnitRecord, UsageError } from "@cim-replay/core";
import type { Ledger, NatsClient } from "@cim-replay/nats";
import { type Certificate, joined, type Level } from "./certificate.ts";
import { evidenceFor, type RunEvidence, settledEvidence } from "./run-evidence.ts";
import type { Verification, VerifyProgress } from "./scene.ts";
import type { IndexCount } from "./witness.ts";
import { verify } from "./verify.ts";

export interface CertifyOptions {
  readonly client: NatsClient;
  /** Says which later runs there were. */
  readonly ledger?: Ledger | null;
  readonly run: RunRecord;
  readonly plan: Plan;
  readonly units: readonly UnitRecord[];
  readonly level: Level;
  /** The very ones that the run pinned, in the order of its targets; needed at `full`. */
  readonly projections: readonly NonNullable<Verification["projection"]>[];
  /** What the server's subject index said when the run was planned; null: it is asked again. */
  readonly counted?: IndexCount | null;
  readonly toolVersion: string;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: VerifyProgress) => void;
}

/**
 * Holds a run's records against the stream and the bucket, and issues what came of it; where the run is not proved, with the
 * verdict "fails" and all that speaks against it. Only reads. Throws UsageError where the projection is another than the
 * run's, and ReplayError or UnreachableError where it cannot look at all.
 */
export async function certifyRun(options: CertifyOptions): Promise<Certificate> {
  const { run, level } = options;
  const evidence = settledEvidence(options);
  const certificates: Certificate[] = [];
  for (const [at, { projection: pinned }] of targetsOf(run.settings).entries()) {
    const projection = options.projections[at] ?? null;
    if (level === "full" && projection !== null && projection.ref.sha256 !== pinned.sha256) {
      throw new UsageError(
        `Cannot certify run ${run.id}: it folded with ${pinned.name} ${pinned.sha256.slice(0, 12)}…, ` +
          `and this is ${projection.ref.name} ${projection.ref.sha256.slice(0, 12)}…. Put the run's own version there.`,
      );
    }
    certificates.push(await certifyTarget(options, evidenceFor(evidence, at), projection));
  }
  const [first, ...others] = certificates;
  if (!first) throw new ReplayError(`Cannot certify run ${run.id}: it has no target.`);
  return joined([first, ...others]);
}

/** Each target by itself, as a run of its own is: it has its own entries and its own bad events. */
function certifyTarget(
  options: CertifyOptions,
  evidence: RunEvidence,
  projection: Verification["projection"],
): Promise<Certificate> {
  const { client, ledger = null, level, toolVersion, signal } = options;
  const { settings } = evidence.run;
  return verify({
    ...{ client, ledger, level, projection, toolVersion, signal },
    domain: settings.domain,
    domainSettings: settings.domainSettings,
    aggregateId: settings.aggregateId,
    bucket: settings.target,
    evidence,
    asOf: null,
    // Above counts the reading is the work, and the index may as well be asked again.
    counted: level === "counts" ? (options.counted ?? null) : null,
    toPresent: false,
    onProgress: options.onProgress ?? (() => {}),
  });
}
