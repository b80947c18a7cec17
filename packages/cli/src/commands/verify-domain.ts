import { UsageError } from "@cim-replay/core";
import { verifyDomain } from "@cim-replay/verifier";
import type { CommandModule } from "../command.ts";
import { callFlag } from "../settings/flags.ts";
import { text } from "../settings/values.ts";
import { assertNotEmpty, openDelivery } from "../verify/deliver.ts";
import { verifyFlags, verifySettings } from "../verify/flags.ts";
import { domainToVerify, withVerifySession } from "../verify/session.ts";
import { addFlags, readInvocation } from "./invoked.ts";

const flags = { domain: callFlag("--domain <name>", "domain whose entries are verified", text), ...verifyFlags };

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, verifySettings),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const { domain, level = "full" } = given;
    if (domain === undefined) throw new UsageError("Cannot verify: no domain is named. Give --domain.");
    const delivery = await openDelivery(invocation, given);
    const certificate = await withVerifySession(invocation, loaded, async (session) =>
      verifyDomain(await domainToVerify(session, domain, level)),
    );
    assertNotEmpty(certificate);
    return delivery.deliver(certificate);
  },
};
