import { basename, dirname, extname, join, resolve } from "node:path";
import { UsageError } from "@cim-replay/core";
import { text } from "../settings/values.ts";
import { callFlag } from "../settings/flags.ts";
import type { LoadedSettings } from "../settings/load.ts";
import { compileService } from "./compile.ts";
import { Notes } from "./notes.ts";
import type { Service } from "./service.ts";

export const stateFileFlag = callFlag(
  "--state-file <file>",
  "remembers here what ran (default: beside the settings file, NAME.services.json)",
  text,
);

const EXAMPLE = `services:
  - systemd: cim-graph.service
  - kubernetes: deployment/cim-workflow
    namespace: cim
  - compose: dashboard
  - name: importer
    command:
      stop: [importerctl, stop]
      start: [importerctl, start]
      status: [importerctl, status]`;

/** The services in the order in which they are started, and what an earlier stop remembers of them. Throws UsageError. */
export async function openServices(
  { services, filePath }: LoadedSettings,
  stateFile: string | undefined,
): Promise<{ services: Service[]; notes: Notes }> {
  if (services === null || services.length === 0) {
    throw new UsageError(
      `Cannot tell what the services are: ${filePath} has no section \`services\`. List them in the order of starting, e.g.\n${EXAMPLE}`,
    );
  }
  const folder = dirname(filePath);
  const besides = join(folder, `${basename(filePath, extname(filePath))}.services.json`);
  const notes = await Notes.open(stateFile === undefined ? besides : resolve(stateFile));
  return { services: services.map((entry) => compileService(entry, folder)), notes };
}

/** Aborted by Ctrl-C or SIGTERM; what is under way is ended, and the outcome still told. */
export async function untilInterrupted<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const interruption = new AbortController();
  const interrupt = () => interruption.abort();
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  try {
    return await work(interruption.signal);
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
}
