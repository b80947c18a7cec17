import { JetStreamApiError, RetentionPolicy, StorageType, type StreamConfig } from "@nats-io/jetstream";
import type { NatsClient } from "./connect.ts";
import { isStreamNotFound, STREAM_NAME_IN_USE, withRetries } from "./publish-retry.ts";
import { withReplicas } from "./replicas.ts";

/** What this tool keeps outlives a restart of the server, and goes by age or by hand only. */
const KEPT = { retention: RetentionPolicy.Limits, storage: StorageType.File };

/** Whether the stream is there, made first where asked for. An existing stream is left as it is. */
export async function ensureStream(
  client: NatsClient,
  config: Partial<StreamConfig> & { name: string },
  create: boolean,
): Promise<boolean> {
  return await withRetries(client, `open stream ${config.name}`, async () => {
    try {
      await client.jsm.streams.info(config.name);
      return true;
    } catch (error) {
      if (!isStreamNotFound(error)) throw error;
    }
    if (!create) return false;
    try {
      await withReplicas(client, `stream ${config.name}`, (replicas) =>
        client.jsm.streams.add({ ...KEPT, ...config, num_replicas: replicas }),
      );
    } catch (error) {
      // Somebody was faster, with other settings: theirs stand.
      if (!(error instanceof JetStreamApiError && error.code === STREAM_NAME_IN_USE)) throw error;
    }
    return true;
  });
}
