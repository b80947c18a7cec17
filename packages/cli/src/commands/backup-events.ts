import { backupEvents, type CheckedEvents, openEventsArchive } from "@cim-replay/archive";
import { formatCount, UsageError } from "@cim-replay/core";
import { compressionFlag } from "../archives/compression-flag.ts";
import { domainSource } from "../archives/domains-to-back-up.ts";
import { notesNowAndThen } from "../archives/progress-notes.ts";
import { noteUnfinishedStream } from "../archives/unfinished-restore.ts";
import { untilInterrupted } from "../archives/until-interrupted.ts";
import type { CommandModule } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { eventsBackupJson, eventsBackupText } from "../output/events-archive-text.ts";
import { json } from "../output/run-record.ts";
import { toolVersion } from "../output/tool-version.ts";
import { checkWritable } from "../output/write-whole-file.ts";
import { withNats } from "../session.ts";
import { callFlag, connectionSettings } from "../settings/flags.ts";
import { count, text } from "../settings/values.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = {
  domain: callFlag("--domain <name>", "keeps this domain's messages alone, of its stream", text),
  stream: callFlag("--stream <name>", "stream whose messages are kept", text),
  fromSeq: callFlag("--from-seq <n>", "first sequence (default: the stream's first)", count),
  toSeq: callFlag("--to-seq <n>", "last sequence (default: the stream's last)", count),
  sinceArchive: callFlag("--since-archive <file>", "goes on after the last sequence of this archive", text),
  output: callFlag("--output <file>", "archive to write (.tar.gz, .tar.zst, .tar)", text),
  compression: compressionFlag,
  format: shared.format,
};

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, connectionSettings),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const { domain, fromSeq = null, toSeq = null, sinceArchive, output, compression, format } = given;
    const source = domain === undefined ? null : domainSource(domain, loaded);
    const stream = given.stream ?? source?.settings.stream;
    if (stream === undefined || output === undefined) {
      throw new UsageError("Cannot back up: it takes a stream and a file. Give --stream or --domain, and --output.");
    }
    if (sinceArchive !== undefined && fromSeq !== null) {
      throw new UsageError("Cannot begin at two places: --since-archive says where. Leave --from-seq out.");
    }
    await checkWritable(output);
    await using since: CheckedEvents | null = sinceArchive === undefined ? null : await openEventsArchive(sinceArchive);
    const tell = notesNowAndThen((line) => invocation.screen.note(line));
    const written = await untilInterrupted(invocation, (signal) =>
      withNats(loaded.settings, invocation.tool, async (client) => {
        await noteUnfinishedStream(client, stream, invocation.screen);
        return backupEvents(client, {
          ...{ stream, domain: source, fromSeq, toSeq, since, output, compression, signal, toolVersion: toolVersion() },
          onProgress: (seq, last) => tell(() => `kept up to sequence ${formatCount(seq)} of ${formatCount(last)}`),
        });
      }),
    );
    if (written === null) return EXIT.interrupted;
    if (written.manifest.events === 0) invocation.screen.note("No message was there to keep: the archive is empty.");
    invocation.print(format === "json" ? json(eventsBackupJson(written, output)) : eventsBackupText(written, output));
    return EXIT.done;
  },
};
