import { type Certificate, type VerifyDomainOptions, verifyDomain } from "@cim-replay/verifier";
import type { Invocation } from "../command.ts";
import { json } from "../output/run-record.ts";
import { verificationLine, verificationText } from "../output/verification-text.ts";
import { bucketOf } from "../replay/run-settings.ts";
import { EXIT } from "../exit-status.ts";
import type { LoadedSettings } from "../settings/load.ts";
import { allDomains } from "./all-domains.ts";
import { domainToVerify, withVerifySession } from "./session.ts";

interface AllDomains {
  readonly loaded: LoadedSettings;
  readonly level: VerifyDomainOptions["level"];
  readonly format: "text" | "json" | undefined;
  /** What is asked of each domain beside the usual. */
  readonly adapt?: (options: VerifyDomainOptions) => VerifyDomainOptions;
}

/** Verifies one domain after the other, prints what came of each, and gives the exit status. */
export async function verifyAllDomains(invocation: Invocation, options: AllDomains): Promise<number> {
  const { loaded, level, format, adapt = (each) => each } = options;
  const certificates = await withVerifySession(invocation, loaded, async (session) => {
    const issued: Certificate[] = [];
    for (const domain of await allDomains(session.client, loaded, bucketOf(loaded.settings.target))) {
      const certificate = await verifyDomain(adapt(await domainToVerify(session, domain, level)));
      invocation.screen.note(verificationLine(certificate));
      issued.push(certificate);
    }
    return issued;
  });
  invocation.print(format === "json" ? json(certificates) : certificates.map(verificationText).join("\n\n"));
  return certificates.every(({ verdict }) => verdict === "holds") ? EXIT.done : EXIT.failed;
}
