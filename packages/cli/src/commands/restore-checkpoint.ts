import { type CheckedArchive, withCheckpoint } from "@cim-replay/archive";
import { formatCount, UsageError } from "@cim-replay/core";
import type { NatsClient } from "@cim-replay/nats";
import { restoreInto, targetOf } from "../archives/restore-into.ts";
import { noteUnfinishedRestore } from "../archives/unfinished-restore.ts";
import { untilInterrupted } from "../archives/until-interrupted.ts";
import { canAsk, isSure } from "../ask.ts";
import type { CommandModule, Invocation } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { restoreJson, type RestoreReport, restoreText } from "../output/archive-text.ts";
import { json } from "../output/run-record.ts";
import { withNats } from "../session.ts";
import { callFlag, connectionSettings } from "../settings/flags.ts";
import { flag, text } from "../settings/values.ts";
import { allDomains } from "../verify/all-domains.ts";
import type { LoadedSettings } from "../settings/load.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = {
  name: callFlag("--name <name>", "checkpoint to go back to", text),
  dryRun: callFlag("--dry-run", "checks the checkpoint, says what would be done, and writes nothing", flag),
  yes: callFlag("--yes", "restores without asking", flag),
  format: shared.format,
};

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, ["target", ...connectionSettings]),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const { name, dryRun = false, yes = false, format } = given;
    if (name === undefined) throw new UsageError("Cannot restore: no checkpoint is named. Give --name.");
    if (!dryRun && !yes && !canAsk()) {
      throw new UsageError("Cannot restore without being sure: there is no terminal to ask on. Give --yes.");
    }
    const report = await untilInterrupted(invocation, (signal) =>
      withNats(loaded.settings, invocation.tool, (client) =>
        withCheckpoint(client, name, (archive) =>
          restore(client, invocation, loaded, { archive, name, dryRun, yes, signal }),
        ),
      ),
    );
    if (report === null) return EXIT.interrupted;
    if (report === "refused") {
      invocation.screen.note("Nothing was written.");
      return EXIT.failed;
    }
    invocation.print(format === "json" ? json(restoreJson(report)) : restoreText(report));
    return EXIT.done;
  },
};

interface Request {
  readonly archive: CheckedArchive;
  readonly name: string;
  readonly dryRun: boolean;
  readonly yes: boolean;
  readonly signal: AbortSignal;
}

async function restore(
  client: NatsClient,
  invocation: Invocation,
  loaded: LoadedSettings,
  { archive, name, dryRun, yes, signal }: Request,
): Promise<RestoreReport | "refused"> {
  const { manifest } = archive;
  const file = `checkpoint ${name}`;
  const bucket = targetOf(archive, file, loaded);
  await noteUnfinishedRestore(client, bucket, invocation.screen);
  const domains = manifest.domains.map(({ name: domain }) => domain);
  const strangers = (await allDomains(client, loaded, bucket)).filter((domain) => !domains.includes(domain));
  if (strangers.length > 0) {
    invocation.screen.note(
      `Checkpoint ${name} knows nothing of ${strangers.join(", ")}: their entries stay as they are.`,
    );
  }
  const entries = `${formatCount(manifest.entries)} entries of ${domains.join(", ")}`;
  const question = `Make bucket ${bucket} hold what it held at ${manifest.taken_at} (${entries}), and nothing else of these domains? [y/N] `;
  if (!dryRun && !yes && !(await isSure(question))) return "refused";
  const command = `restore-checkpoint --name ${name} --target ${bucket} --yes`;
  const task = { archive, bucket, dryRun, signal, command, parameters: { checkpoint: name } };
  return { file, manifest, bucket, dryRun, restored: await restoreInto(client, invocation, task) };
}
