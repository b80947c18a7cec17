import type { Log } from "@cim-replay/core";
import { destination, multistream, pino } from "pino";
import type { Settings } from "./settings/definitions.ts";
import { redactUrls } from "./redact.ts";

export interface OpenedLog {
  readonly log: Log;
  /** Writes out what waits. */
  close(): void;
}

/**
 * JSON lines: at `--log-level` and above on stderr, by way of `writeLine` so that a live area is not torn; info and above
 * in `--log-file`. URL credentials never get into either.
 */
export function openLog(
  settings: Pick<Settings, "logLevel" | "logFile">,
  tool: string,
  writeLine: (line: string) => void,
): OpenedLog {
  const { logLevel, logFile } = settings;
  const stderr = {
    level: logLevel === "silent" ? "fatal" : logLevel,
    stream: { write: (line: string) => writeLine(line.trimEnd()) },
  } as const;
  const file = logFile === null ? null : destination({ dest: logFile, append: true, mkdir: true, sync: true });
  const wanted = logLevel === "silent" ? [] : [stderr];
  const streams = file ? [...wanted, { level: "info" as const, stream: file }] : wanted;
  const log = pino(
    {
      name: tool,
      level: streams.length === 0 ? "silent" : "trace",
      redact: { paths: ["password", "token", "*.password", "*.token"], censor: "***" },
      hooks: { streamWrite: redactUrls },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    multistream(streams),
  );
  return { log, close: () => file?.flushSync() };
}
