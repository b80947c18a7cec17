import { deleteCheckpoint, listCheckpoints } from "@cim-replay/archive";
import { UsageError } from "@cim-replay/core";
import type { NatsClient } from "@cim-replay/nats";
import { audit } from "../audit.ts";
import { canAsk, isSure } from "../ask.ts";
import type { CommandModule, Invocation } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { json } from "../output/run-record.ts";
import { withNats } from "../session.ts";
import { callFlag, connectionSettings } from "../settings/flags.ts";
import { flag, text } from "../settings/values.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = {
  name: callFlag("--name <name>", "checkpoint to delete", text),
  yes: callFlag("--yes", "deletes without asking", flag),
  format: shared.format,
};

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, connectionSettings),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const { name, yes, format } = given;
    if (name === undefined) throw new UsageError("Cannot delete: no checkpoint is named. Give --name.");
    if (!yes && !canAsk()) {
      throw new UsageError("Cannot delete without being sure: there is no terminal to ask on. Give --yes.");
    }
    if (!yes && !(await isSure(`Delete checkpoint ${name} for good? [y/N] `))) {
      invocation.screen.note("Nothing was deleted.");
      return EXIT.failed;
    }
    await withNats(loaded.settings, invocation.tool, (client) => remove(client, invocation, name));
    invocation.print(format === "json" ? json({ deleted: name }) : `Deleted checkpoint ${name}.`);
    return EXIT.done;
  },
};

async function remove(client: NatsClient, { tool, screen }: Invocation, name: string): Promise<void> {
  const { checkpoints } = await listCheckpoints(client);
  const known = checkpoints.find((each) => each.name === name);
  await deleteCheckpoint(client, name);
  for (const { name: domain } of known?.domains ?? []) {
    const of = { command: tool, step: "done", domain, target: known?.bucket ?? "" } as const;
    const outcome = `checkpoint ${name} deleted`;
    await audit(client, { ...of, parameters: { checkpoint: name }, outcome }, (line) => screen.note(line));
  }
}
