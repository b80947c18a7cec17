import { resolve } from "node:path";
import { planReplay, previewSelection, type SelectionPreview } from "@cim-replay/coordinator";
import type { PinnedFilter } from "@cim-replay/core";
import type { NatsClient } from "@cim-replay/nats";
import type { Invocation } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { json } from "../output/run-record.ts";
import { selectionJson, selectionText } from "../output/selection-text.ts";
import { writeWholeFile } from "../output/write-whole-file.ts";
import type { ReplayRequest } from "../replay/request.ts";
import { newRunId } from "../replay/run-id.ts";
import { runSettingsFor } from "../replay/run-settings.ts";
import { domainsToReplay } from "../replay/which-domains.ts";

const LOG = "replay-dry-run.log";

/** Counts what would be replayed. All of it goes into the log in the current folder, a bounded part onto the terminal. */
export async function dryRunSelection(
  { print }: Invocation,
  client: NatsClient,
  { flags, loaded, filter, path }: ReplayRequest & { readonly filter: PinnedFilter; readonly path: string },
): Promise<number> {
  const previews: SelectionPreview[] = [];
  for (const domain of filter.filter.domains ?? (await domainsToReplay(client, loaded, flags))) {
    const { settings, projections } = await runSettingsFor(domain, loaded, flags, filter);
    const plan = await planReplay(client, settings, projections, newRunId());
    previews.push(await previewSelection(client, settings, plan, new AbortController().signal));
  }
  const told = { ...filter, path, timeBasis: loaded.settings.timeBasis };
  const log = resolve(LOG);
  await writeWholeFile(log, `${selectionText(previews, told, Number.POSITIVE_INFINITY)}\n`);
  if (flags.format === "json") print(json({ ...selectionJson(previews, told), log }));
  else print(`${selectionText(previews, told)}\nThis and every key: ${log}`);
  return EXIT.done;
}
