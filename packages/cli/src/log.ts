import type { Log } from "@cim-replay/core";
import { multistream, pino } from "pino";
import { LogFile } from "./log-file.ts";
import type { Settings } from "./settings/definitions.ts";
import { redactUrls } from "./redact.ts";

export interface OpenedLog {
  readonly log: Log;
  close(): void;
}

/**
 * JSON lines: at `--log-level` and above on stderr, by way of `writeLine` so that a live area is not torn; info and above
 * in `--log-file`, which SIGHUP opens again, so that it can be rotated. URL credentials never get into either. Throws
 * UsageError where the file cannot be opened.
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
  const file = logFile === null ? null : new LogFile(logFile);
  const rotate = () => {
    const trouble = file?.reopen();
    if (trouble) writeLine(trouble);
  };
  // Without a file, SIGHUP keeps its meaning: the terminal has gone.
  if (file) process.on("SIGHUP", rotate);
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
  const close = () => {
    process.off("SIGHUP", rotate);
    file?.close();
  };
  return { log, close };
}
