import { type Certificate, verifyDomain } from "@cim-replay/verifier";
import type { CommandModule } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { json } from "../output/run-record.ts";
import { verificationLine, verificationText } from "../output/verification-text.ts";
import { bucketOf } from "../replay/run-settings.ts";
import { allDomains } from "../verify/all-domains.ts";
import { verifyFlags, verifySettings } from "../verify/flags.ts";
import { domainToVerify, withVerifySession } from "../verify/session.ts";
import { addFlags, readInvocation } from "./invoked.ts";

const flags = { level: verifyFlags.level, format: verifyFlags.format };

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, verifySettings),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const certificates = await withVerifySession(invocation, loaded, async (session) => {
      const issued: Certificate[] = [];
      for (const domain of await allDomains(session.client, loaded, bucketOf(loaded.settings.target))) {
        const certificate = await verifyDomain(await domainToVerify(session, domain, given.level ?? "full"));
        invocation.screen.note(verificationLine(certificate));
        issued.push(certificate);
      }
      return issued;
    });
    if (given.format === "json") invocation.print(json(certificates));
    else invocation.print(certificates.map(verificationText).join("\n\n"));
    return certificates.every(({ verdict }) => verdict === "holds") ? EXIT.done : EXIT.failed;
  },
};
