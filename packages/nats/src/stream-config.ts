import { ReplayError } from "@cim-replay/core";
import type { StreamConfig } from "@nats-io/jetstream";
import { apiRequest } from "./api-request.ts";
import type { NatsClient } from "./connect.ts";
import { isStreamNotFound, withRetries } from "./publish-retry.ts";
import { isStreamName } from "./stream-info.ts";

/** The whole configuration as the server gives it; null where there is no such stream. */
export async function streamConfig(client: NatsClient, stream: string): Promise<Record<string, unknown> | null> {
  if (!isStreamName(stream)) return null;
  return await withRetries(client, `look at stream ${stream}`, async () => {
    try {
      return { ...(await client.jsm.streams.info(stream)).config };
    } catch (error) {
      if (isStreamNotFound(error)) return null;
      throw error;
    }
  });
}

/** Makes a stream. Throws ReplayError with the server's words where it refuses. */
export async function makeStream(
  client: NatsClient,
  config: Readonly<Record<string, unknown>> & { readonly name: string },
): Promise<void> {
  await apiRequest(`make stream ${config.name}`, () =>
    client.jsm.streams.add({ ...config } as Partial<StreamConfig> & { name: string }),
  );
}

/** A word that this tool has left in a stream's metadata; null where there is none, or no such stream. */
export async function streamMark(client: NatsClient, stream: string, name: string): Promise<string | null> {
  const metadata = (await streamConfig(client, stream))?.metadata;
  if (typeof metadata !== "object" || metadata === null) return null;
  const mark = new Map<string, unknown>(Object.entries(metadata)).get(name);
  return typeof mark === "string" ? mark : null;
}

/** Sets a mark, or with null removes it; what else is in the metadata stays. */
export async function setStreamMark(
  client: NatsClient,
  stream: string,
  name: string,
  mark: string | null,
): Promise<void> {
  await withRetries(client, `mark stream ${stream}`, async () => {
    const { config } = await client.jsm.streams.info(stream);
    const { [name]: before, ...others } = config.metadata ?? {};
    if ((before ?? null) === mark) return;
    const metadata = mark === null ? others : { ...others, [name]: mark };
    const changed = await client.jsm.streams.update(stream, { metadata });
    if ((changed.config.metadata?.[name] ?? null) === mark) return;
    throw new ReplayError(`Cannot mark stream ${stream}: the server keeps no metadata. Upgrade it.`);
  });
}
