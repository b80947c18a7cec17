import type { CertifyRun } from "@cim-replay/coordinator";
import type { CertificateLevel } from "@cim-replay/core";
import type { Ledger, NatsClient } from "@cim-replay/nats";
import {
  type Certificate,
  certifyRun,
  type IndexCount,
  type RunEvidence,
  type VerifyProgress,
} from "@cim-replay/verifier";
import { toolVersion } from "../output/tool-version.ts";
import { discrepanciesOf, firstDiscrepancy } from "../output/verification-text.ts";
import { projectionsOfRun } from "./session.ts";
import { verifyNotes } from "./verify-notes.ts";

interface Certifying {
  readonly client: NatsClient;
  readonly ledger: Ledger;
  readonly evidence: RunEvidence;
  readonly level: CertificateLevel;
  readonly counted?: IndexCount | null;
  readonly onProgress?: (progress: VerifyProgress) => void;
  /** Aborted: nothing is kept. */
  readonly signal?: AbortSignal;
  /** The last touch before it is kept: a signature. */
  readonly finish?: (certificate: Certificate) => Certificate;
}

/** Issues a run's certificate and keeps it in the ledger, whatever it says. */
export async function certifyAndKeep(options: Certifying): Promise<Certificate> {
  const {
    client,
    ledger,
    evidence,
    level,
    counted = null,
    onProgress,
    signal = new AbortController().signal,
    finish = (certificate) => certificate,
  } = options;
  const issued = await certifyRun({
    ...{ client, ledger, ...evidence, level, counted },
    ...(onProgress && { onProgress }),
    projections: level === "full" ? await projectionsOfRun(evidence.run) : [],
    ...{ toolVersion: toolVersion(), signal },
  });
  signal.throwIfAborted();
  const certificate = finish(issued);
  await ledger.putCertificate(evidence.run.id, certificate);
  return certificate;
}

/**
 * What a coordinator asks before it completes a run. Reads through a connection of its own: the coordinator's has been read
 * through by other means.
 */
export function certifier(
  connect: () => Promise<NatsClient>,
  ledger: Ledger,
  level: CertificateLevel,
  { counted, note }: { counted: IndexCount | null; note: (line: string) => void },
): CertifyRun {
  return async (run, plan, units, signal) => {
    const client = await connect();
    const evidence = { run, plan, units };
    const onProgress = verifyNotes((line) => note(`certificate: ${line}`));
    const certifying = certifyAndKeep({ client, ledger, evidence, level, counted, onProgress, signal });
    const certificate = await certifying.finally(() => client.close());
    const holds = certificate.verdict === "holds";
    return {
      ...{ level, holds, discrepancies: discrepanciesOf(certificate) },
      reason: holds
        ? null
        : `The run is not proved: ${firstDiscrepancy(certificate)} See \`cim-replay certify --run ${run.id} --level full\`.`,
    };
  };
}
