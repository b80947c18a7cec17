import { UsageError } from "@cim-replay/core";
import { verifyAggregate } from "@cim-replay/verifier";
import type { CommandModule } from "../command.ts";
import { callFlag } from "../settings/flags.ts";
import { text } from "../settings/values.ts";
import { assertNotEmpty, openDelivery } from "../verify/deliver.ts";
import { verifyFlags, verifySettings } from "../verify/flags.ts";
import { domainToVerify, withVerifySession } from "../verify/session.ts";
import { addFlags, readInvocation } from "./invoked.ts";

const flags = {
  aggregateId: callFlag("--aggregate-id <id>", "aggregate whose entry is verified", text),
  domain: callFlag("--domain <name>", "its domain", text),
  ...verifyFlags,
};

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, verifySettings),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const { aggregateId, domain, level = "full" } = given;
    if (aggregateId === undefined || domain === undefined) {
      throw new UsageError("Cannot verify: no aggregate is named. Give --domain and --aggregate-id.");
    }
    const delivery = await openDelivery(invocation, given);
    const certificate = await withVerifySession(invocation, loaded, async (session) =>
      verifyAggregate({ ...(await domainToVerify(session, domain, level)), aggregateId }),
    );
    assertNotEmpty(certificate);
    return delivery.deliver(certificate);
  },
};
