import { planReplay } from "@cim-replay/coordinator";
import type { NatsClient } from "@cim-replay/nats";
import type { Invocation } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { planText } from "../output/plan-text.ts";
import { json } from "../output/run-record.ts";
import type { ReplayRequest } from "./request.ts";
import { newRunId } from "./run-id.ts";
import { runSettingsFor } from "./run-settings.ts";
import { domainsToReplay } from "./which-domains.ts";

/** Plans and prints; writes nothing, and needs no queue. */
export async function dryRun(
  { print }: Invocation,
  client: NatsClient,
  { flags, loaded }: ReplayRequest,
): Promise<number> {
  for (const domain of await domainsToReplay(client, loaded, flags)) {
    const { settings, projections } = await runSettingsFor(domain, loaded, flags);
    const plan = await planReplay(client, settings, projections, newRunId());
    print(flags.format === "json" ? json(plan) : planText(plan, settings));
  }
  return EXIT.done;
}
