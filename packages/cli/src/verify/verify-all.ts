import { ReplayError, UnreachableError } from "@cim-replay/core";
import { type Certificate, requireBucket, type VerifyDomainOptions, verifyDomain } from "@cim-replay/verifier";
import type { Invocation } from "../command.ts";
import { json } from "../output/run-record.ts";
import { verificationLine, verificationText } from "../output/verification-text.ts";
import { bucketOf } from "../settings/bucket-names.ts";
import { EXIT } from "../exit-status.ts";
import type { LoadedSettings } from "../settings/load.ts";
import { allDomains } from "./all-domains.ts";
import { domainToVerify, withVerifySession } from "./session.ts";

interface AllDomains {
  readonly loaded: LoadedSettings;
  readonly level: VerifyDomainOptions["level"];
  readonly format: "text" | "json" | undefined;
  /** What is asked of each domain beside the usual. */
  readonly adapt?: (options: VerifyDomainOptions) => Promise<VerifyDomainOptions>;
}

/** Verifies one domain after the other, prints what came of each, and gives the exit status. */
export async function verifyAllDomains(invocation: Invocation, options: AllDomains): Promise<number> {
  const { loaded, level, format, adapt = async (each) => each } = options;
  let unverified = 0;
  const certificates = await withVerifySession(invocation, loaded, async (session) => {
    const issued: Certificate[] = [];
    const bucket = bucketOf(loaded.settings.target);
    await requireBucket(session.client, bucket, "verify the system's state");
    for (const domain of await allDomains(session.client, loaded, bucket)) {
      try {
        const certificate = await verifyDomain(await adapt(await domainToVerify(session, domain, level)));
        invocation.screen.note(verificationLine(certificate));
        issued.push(certificate);
      } catch (error) {
        // The others may still be verified; a server that is away would be away for them, too.
        if (!(error instanceof ReplayError) || error instanceof UnreachableError) throw error;
        invocation.screen.note(`${domain}: ${error.message}`);
        unverified += 1;
      }
    }
    return issued;
  });
  invocation.print(format === "json" ? json(certificates) : certificates.map(verificationText).join("\n\n"));
  const allHold = unverified === 0 && certificates.every(({ verdict }) => verdict === "holds");
  return allHold ? EXIT.done : EXIT.failed;
}
