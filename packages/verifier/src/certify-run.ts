import { type Plan, type RunRecord, type UnitRecord, UsageError } from "@cim-replay/core";
import type { Ledger, NatsClient } from "@cim-replay/nats";
import type { Certificate, Level } from "./certificate.ts";
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
  /** The very one that the run pinned; needed at `full`. */
  readonly projection: Verification["projection"];
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
  const { client, ledger = null, run, plan, units, level, projection, toolVersion, signal } = options;
  const { settings } = run;
  if (level === "full" && projection !== null && projection.ref.sha256 !== settings.projection.sha256) {
    throw new UsageError(
      `Cannot certify run ${run.id}: it folded with ${settings.projection.name} ${settings.projection.sha256.slice(0, 12)}…, ` +
        `and this is ${projection.ref.name} ${projection.ref.sha256.slice(0, 12)}…. Put the run's own version there.`,
    );
  }
  return verify({
    ...{ client, ledger, level, projection, toolVersion, signal },
    domain: settings.domain,
    domainSettings: settings.domainSettings,
    aggregateId: settings.aggregateId,
    bucket: settings.target,
    evidence: { run, plan, units },
    asOf: null,
    // Above counts the reading is the work, and the index may as well be asked again.
    counted: level === "counts" ? (options.counted ?? null) : null,
    toPresent: false,
    onProgress: options.onProgress ?? (() => {}),
  });
}
