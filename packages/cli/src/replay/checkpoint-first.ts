import type { NatsClient } from "@cim-replay/nats";
import { bucketFacts, countKeys } from "@cim-replay/nats";
import { entryKey } from "@cim-replay/core";
import { domainSource } from "../archives/domains-to-back-up.ts";
import { makeCheckpoint } from "../archives/make-checkpoint.ts";
import type { Invocation } from "../command.ts";
import type { LoadedSettings } from "../settings/load.ts";
import { bucketOf } from "../settings/bucket-names.ts";
import { newRunId } from "./run-id.ts";

/** What a replay in place can be undone with. */
export interface WayBack {
  /** Null: none was made. */
  readonly checkpoint: string | null;
  readonly note: string | null;
}

/** Before domains are brought to a moment in place: one checkpoint of all of them. Throws where it cannot be made. */
export async function checkpointFirst(
  client: NatsClient,
  invocation: Invocation,
  loaded: LoadedSettings,
  domains: readonly string[],
): Promise<WayBack> {
  const { target, backupFirst, backupKeep } = loaded.settings;
  if (backupFirst === false) return { checkpoint: null, note: "none was asked for" };
  const bucket = bucketOf(target);
  if (!(await holdsAny(client, bucket, domains))) return { checkpoint: null, note: "the target held no entry" };
  const name = `before-${invocation.tool}-${newRunId()}`;
  invocation.screen.note(`Keeping what bucket ${bucket} holds as checkpoint ${name}.`);
  await makeCheckpoint(client, invocation, {
    ...{ name, bucket, domains: domains.map((domain) => domainSource(domain, loaded)) },
    ...{ wholeBucket: false, automatic: { keep: backupKeep } },
  });
  return { checkpoint: name, note: null };
}

async function holdsAny(client: NatsClient, bucket: string, domains: readonly string[]): Promise<boolean> {
  if (!(await bucketFacts(client, bucket))) return false;
  for (const domain of domains) {
    if ((await countKeys(client, bucket, entryKey(domain, "x").replace(/x$/, ">"))) > 0) return true;
  }
  return false;
}
