import { readProgress } from "@cim-replay/coordinator";
import type { UnitRecord } from "@cim-replay/core";
import { type NatsClient, QuarantineStore } from "@cim-replay/nats";
import type { CommandModule } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { ErrorGroups } from "../output/error-groups.ts";
import { errorJson, errorsText, groupJson } from "../output/error-text.ts";
import { progressRecord } from "../output/progress-record.ts";
import { json, runJson } from "../output/run-record.ts";
import { statusText } from "../output/run-text.ts";
import { pickRun } from "../replay/pick-run.ts";
import { withLedger } from "../session.ts";
import { callFlag, connectionSettings } from "../settings/flags.ts";
import { flag } from "../settings/values.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = {
  run: shared.run,
  domain: shared.domain,
  showErrors: callFlag("--show-errors", "shows the events in the run's quarantine, by reason", flag),
  format: shared.format,
};

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, connectionSettings),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    return withLedger(loaded.settings, invocation.tool, async (ledger, client) => {
      const { id } = await pickRun(ledger, { tool: invocation.tool, run: given.run, domain: given.domain });
      const progress = await readProgress(client, ledger, id);
      const units = (await ledger.listUnits(id)).map(({ record }) => record);
      const errors = given.showErrors ? await quarantined(client, id) : null;
      if (given.format === "json") {
        const record = { ...progressRecord(progress, Date.now()), ...runJson(progress.run) };
        invocation.print(json({ ...record, unit_records: units.map(unitJson), ...errors?.json }));
      } else {
        invocation.print(statusText(progress, units));
        if (errors) invocation.print(`\n${errorsText(errors.groups, id)}`);
      }
      return EXIT.done;
    });
  },
};

interface Errors {
  readonly groups: ErrorGroups;
  readonly json: { readonly quarantine: object[]; readonly quarantine_groups: object[] };
}

/** Payloads are let go of: only the groups' few samples keep theirs. */
async function quarantined(client: NatsClient, runId: string): Promise<Errors> {
  const store = await QuarantineStore.open(client, { create: false });
  const groups = new ErrorGroups();
  const quarantine: object[] = [];
  if (store) {
    for await (const event of store.list(runId)) {
      groups.add(event);
      quarantine.push(errorJson(event));
    }
  }
  return { groups, json: { quarantine, quarantine_groups: groups.list().map(groupJson) } };
}

function unitJson({ id, state, epoch, owner, cursorSeq, counts, entries, failure }: UnitRecord): object {
  return { id, state, epoch, owner, cursor_seq: cursorSeq, counts, entries, failure };
}
