import {
  type CompiledProjection,
  domainSettingsSchema,
  type ProjectionRef,
  type RunRecord,
  targetsOf,
} from "@cim-replay/core";
import { Ledger, type NatsClient } from "@cim-replay/nats";
import { builtinFor } from "@cim-replay/projections";
import type { Level, VerifyDomainOptions, VerifyProgress } from "@cim-replay/verifier";
import { loadProjection, resolveProjection } from "@cim-replay/worker/load-projection";
import { noteUnfinishedRestore, noteUnfinishedStream } from "../archives/unfinished-restore.ts";
import type { Invocation } from "../command.ts";
import type { Screen } from "../output/screen.ts";
import { toolVersion } from "../output/tool-version.ts";
import { projectionNamedFor } from "../replay/named-projections.ts";
import { bucketOf } from "../settings/bucket-names.ts";
import { withNats } from "../session.ts";
import { lastEvidence } from "./last-evidence.ts";
import { verifyNotes } from "./verify-notes.ts";
import type { LoadedSettings } from "../settings/load.ts";

export interface LoadedProjection {
  readonly ref: ProjectionRef;
  readonly projection: CompiledProjection;
}

/** Connections and settings that a verification needs. Nothing is written through them. */
export interface VerifySession {
  readonly client: NatsClient;
  /** Null where there never was a run here. */
  readonly ledger: Ledger | null;
  readonly loaded: LoadedSettings;
  readonly onProgress: (progress: VerifyProgress) => void;
  readonly screen: Pick<Screen, "note">;
}

export function withVerifySession<Result>(
  { tool, screen }: Pick<Invocation, "tool" | "screen">,
  loaded: LoadedSettings,
  work: (session: VerifySession) => Promise<Result>,
): Promise<Result> {
  return withNats(loaded.settings, tool, async (client) => {
    const onProgress = verifyNotes((line) => screen.note(line));
    await noteUnfinishedRestore(client, bucketOf(loaded.settings.target), screen);
    return work({ client, ledger: await Ledger.open(client), loaded, onProgress, screen });
  });
}

/** What is to be verified of a domain: with the projection that is asked for, else with that of its last whole run. */
export async function domainToVerify(
  { client, ledger, loaded, onProgress, screen }: VerifySession,
  domain: string,
  level: Level,
): Promise<VerifyDomainOptions> {
  const bucket = bucketOf(loaded.settings.target);
  const { run, wasRestored } = await lastEvidence(client, ledger, { domain, bucket });
  const known = loaded.domains.get(domain);
  // Those that the run was planned with: its partitions and its stream are theirs.
  const domainSettings = run?.run.settings.domainSettings ?? known ?? domainSettingsSchema.parse({});
  await noteUnfinishedStream(client, domainSettings.stream, screen);
  // What a run has pinned goes before what the settings file names, and after what is named for this call.
  const named = projectionNamedFor(bucket, loaded.settings.projection, run ? {} : domainSettings);
  const projection = level === "full" ? await projectionFor(domain, named, run?.run ?? null) : null;
  const signal = new AbortController().signal;
  return {
    ...{ client, ledger, domain, domainSettings, bucket, level, projection, run, wasRestored, signal },
    onProgress,
    toolVersion: toolVersion(),
  };
}

/** The very versions that a run has pinned, in the order of its targets. */
export function projectionsOfRun({ settings }: RunRecord): Promise<LoadedProjection[]> {
  return Promise.all(targetsOf(settings).map(({ projection }) => pinned(projection)));
}

async function pinned(ref: ProjectionRef): Promise<LoadedProjection> {
  return { ref, projection: await loadProjection(ref) };
}

function projectionFor(domain: string, named: string | null, run: RunRecord | null): Promise<LoadedProjection> {
  if (named === null && run) return pinned(run.settings.projection);
  return resolveProjection(named ?? builtinFor(domain).name);
}
