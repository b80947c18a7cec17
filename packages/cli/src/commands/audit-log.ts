import { AuditLog, type AuditRecord } from "@cim-replay/nats";
import type { CommandModule } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { json } from "../output/run-record.ts";
import { printable } from "../output/short-value.ts";
import { renderTable } from "../output/table.ts";
import { withNats } from "../session.ts";
import { callFlag, connectionSettings } from "../settings/flags.ts";
import { text, timeMs } from "../settings/values.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = {
  domain: callFlag("--domain <name>", "only what was done to this domain", text),
  since: callFlag("--since <time>", "only from this time on, e.g. 2026-01-31T12:00:00Z", timeMs),
  format: shared.format,
};

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, connectionSettings),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    return withNats(loaded.settings, invocation.tool, async (client) => {
      const log = await AuditLog.open(client, { create: false });
      const records: AuditRecord[] = [];
      for await (const record of log?.read() ?? []) {
        const fits = given.domain === undefined || record.domain === given.domain;
        if (fits && Date.parse(record.at) >= (given.since ?? 0)) records.push(record);
      }
      if (given.format === "json") invocation.print(json(records));
      else if (records.length > 0) invocation.print(auditText(records));
      else invocation.screen.note("Nothing is recorded.");
      return EXIT.done;
    });
  },
};

function auditText(records: readonly AuditRecord[]): string {
  return renderTable<AuditRecord>(
    [
      { title: "time", value: ({ at }) => at },
      { title: "who", value: ({ who }) => printable(who) },
      { title: "command", value: ({ command: name }) => printable(name) },
      { title: "step", value: ({ step }) => step },
      { title: "domain", value: ({ domain }) => printable(domain) },
      { title: "target", value: ({ target }) => printable(target) },
      { title: "run", value: ({ runId }) => printable(runId ?? "–") },
      { title: "certificate", value: certificateText },
      { title: "outcome", value: ({ outcome }) => printable(outcome ?? "") },
    ],
    records,
  );
}

function certificateText({ certificate }: AuditRecord): string {
  if (certificate === null) return "–";
  return `${certificate.level}: ${certificate.holds ? "holds" : "fails"}`;
}
