import { resolve } from "node:path";
import { type CheckedEvents, openEventsArchive, type RestoredEvents, restoreEvents } from "@cim-replay/archive";
import { formatCount, UsageError } from "@cim-replay/core";
import { notesNowAndThen } from "../archives/progress-notes.ts";
import { untilInterrupted } from "../archives/until-interrupted.ts";
import type { CommandModule, Invocation } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { eventsRestoreJson, eventsRestoreText, restoreNotes } from "../output/events-archive-text.ts";
import { json } from "../output/run-record.ts";
import { withNats } from "../session.ts";
import { callFlag, connectionSettings } from "../settings/flags.ts";
import type { LoadedSettings } from "../settings/load.ts";
import { flag, text, words } from "../settings/values.ts";
import { type AuditedWork, whileAudited } from "../while-audited.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = {
  backup: callFlag("--backup <file...>", "archive, or all of a chain of increments, in any order", words),
  stream: callFlag("--stream <name>", "stream to write to, made where missing (default: the archive's)", text),
  subjectPrefix: callFlag("--subject-prefix <word>", "subject S becomes WORD.S", text),
  keepSubjects: callFlag(
    "--keep-subjects",
    "keeps subjects though another stream listens to them: the new one listens elsewhere",
    flag,
  ),
  append: callFlag("--append", "writes behind messages of others in the stream", flag),
  dryRun: callFlag("--dry-run", "checks archives and stream, says what would be done, and writes nothing", flag),
  format: shared.format,
};

interface Wishes {
  readonly stream: string | null;
  readonly subjectPrefix: string | null;
  readonly keepSubjects: boolean;
  readonly append: boolean;
  readonly dryRun: boolean;
}

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, connectionSettings),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const { backup: files = [], stream = null, subjectPrefix = null, keepSubjects = false } = given;
    const { append = false, dryRun = false, format } = given;
    if (files.length === 0) throw new UsageError("Cannot restore: no archive is named. Give --backup.");
    if (subjectPrefix !== null) checkPrefix(subjectPrefix, keepSubjects);
    await using opened = new AsyncDisposableStack();
    const archives: CheckedEvents[] = [];
    for (const file of files) archives.push(opened.use(await openEventsArchive(file)));
    const wishes = { stream, subjectPrefix, keepSubjects, append, dryRun };
    const restored = await restore(invocation, loaded, archives, wishes);
    if (restored === null) return EXIT.interrupted;
    for (const line of restoreNotes(restored)) invocation.screen.note(line);
    const report = { files, dryRun, restored };
    invocation.print(format === "json" ? json(eventsRestoreJson(report)) : eventsRestoreText(report));
    return EXIT.done;
  },
};

function checkPrefix(prefix: string, keepSubjects: boolean): void {
  if (keepSubjects)
    throw new UsageError("Cannot both keep and prefix subjects: give --keep-subjects or --subject-prefix.");
  if (/^[^\s.*>$]+(?:\.[^\s.*>]+)*$/.test(prefix)) return;
  throw new UsageError(
    `Cannot use subject prefix ${JSON.stringify(prefix)}: a word, or words with dots between, is one.`,
  );
}

function restore(
  invocation: Invocation,
  { settings }: LoadedSettings,
  archives: readonly CheckedEvents[],
  wishes: Wishes,
): Promise<RestoredEvents | null> {
  const tell = notesNowAndThen((line) => invocation.screen.note(line));
  return untilInterrupted(invocation, (signal) =>
    withNats(settings, invocation.tool, (client) => {
      const work = () =>
        restoreEvents(client, {
          ...{ archives, signal, ...wishes, command: commandOf(archives, wishes) },
          onProgress: (stage, events, total) =>
            tell(() => `events ${stage}: ${formatCount(events)} of ${formatCount(total)}`),
        });
      if (wishes.dryRun) return work();
      return whileAudited(client, auditedAs(invocation, archives, wishes), work, outcomeOf);
    }),
  );
}

const ALL_DOMAINS = "*";

function auditedAs({ tool, screen }: Invocation, archives: readonly CheckedEvents[], wishes: Wishes): AuditedWork {
  const [first] = archives;
  const { dryRun: _, ...asked } = wishes;
  return {
    command: tool,
    domains: [first?.manifest.domain?.name ?? ALL_DOMAINS],
    target: wishes.stream ?? first?.manifest.stream.name ?? "",
    parameters: { backup: archives.map(({ path }) => resolve(path)), from: first?.manifest.stream.name, ...asked },
    note: (line) => screen.note(line),
  };
}

function outcomeOf({ stream, written, unchanged, verified }: RestoredEvents): string {
  const counts = `${formatCount(written)} events written, ${formatCount(unchanged)} unchanged`;
  return `${counts}, ${formatCount(verified)} read back, in stream ${stream}`;
}

function commandOf(
  archives: readonly CheckedEvents[],
  { stream, subjectPrefix, keepSubjects, append }: Wishes,
): string {
  const parts = ["restore-events", "--backup", ...archives.map(({ path }) => quoted(resolve(path)))];
  if (stream !== null) parts.push("--stream", stream);
  if (subjectPrefix !== null) parts.push("--subject-prefix", subjectPrefix);
  if (keepSubjects) parts.push("--keep-subjects");
  // What this restore has written itself counts as its own; what others wrote is known by then.
  if (append) parts.push("--append");
  return parts.join(" ");
}

function quoted(path: string): string {
  return /^[-\w./:@]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
