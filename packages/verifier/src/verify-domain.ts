import { compileDomain, type DomainSettings, UsageError } from "@cim-replay/core";
import type { Ledger, NatsClient } from "@cim-replay/nats";
import type { Certificate, Level } from "./certificate.ts";
import type { RunEvidence } from "./run-evidence.ts";
import type { AsOf, Verification, VerifyProgress } from "./scene.ts";
import { verify } from "./verify.ts";

export interface VerifyDomainOptions {
  readonly client: NatsClient;
  /** Says which runs wrote the entries, and how far each had read. */
  readonly ledger?: Ledger | null;
  readonly domain: string;
  readonly domainSettings: DomainSettings;
  readonly bucket: string;
  readonly level: Level;
  readonly projection: Verification["projection"];
  /** As `lastCompletedRun` gives it; null: the bucket is compared with the stream alone. */
  readonly run: RunEvidence | null;
  /** Entries were restored from an archive since that run: those of runs before it are no surprise. */
  readonly wasRestored?: boolean;
  /** Holds every entry to the state at a moment, whatever its run read; goes with `run: null`. */
  readonly asOf?: AsOf;
  readonly toolVersion: string;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: VerifyProgress) => void;
}

/**
 * Compares a domain's entries with the stream, whoever wrote them. An entry of a replay is held to what its own run read, and
 * events that came later are counted as `behind`; one of another writer is held to all that the stream has. With `run` its
 * records are verified too. Only reads. Throws as `certifyRun` does.
 */
export function verifyDomain(options: VerifyDomainOptions): Promise<Certificate> {
  return verify({ ...options, ...rest(options), aggregateId: null, evidence: options.run });
}

/** The same for the entry of one aggregate, which may be missing: then the stream must have no event of it. */
export async function verifyAggregate(
  options: Omit<VerifyDomainOptions, "run"> & { readonly aggregateId: string },
): Promise<Certificate> {
  const { aggregateId, domain, domainSettings } = options;
  const codec = compileDomain(domain, domainSettings);
  if (codec.idInSubject && codec.aggregateSubjects(aggregateId) === null) {
    throw new UsageError(
      `Cannot find aggregate "${aggregateId}" by subject: the id is no legal subject token. ` +
        `Put * in place of {aggregate_id} in domains.${domain}.subject, or verify the whole domain.`,
    );
  }
  return verify({ ...options, ...rest(options), evidence: null });
}

function rest({
  ledger = null,
  asOf = null,
  onProgress = () => {},
}: Pick<Partial<VerifyDomainOptions>, "ledger" | "onProgress"> & { readonly asOf?: AsOf | null }) {
  return { ledger, asOf, onProgress, counted: null, toPresent: true };
}
