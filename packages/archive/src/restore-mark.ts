import { bucketStream, type NatsClient, streamMark } from "@cim-replay/nats";

/** In the metadata of a stream, or of a bucket's stream, that a restore has begun to change: the command that finishes it. */
export const RESTORE_MARK = "cim-replay-unfinished-restore";

/** The command that finishes the restore of a bucket; null where none is unfinished. */
export function unfinishedRestore(client: NatsClient, bucket: string): Promise<string | null> {
  return streamMark(client, bucketStream(bucket), RESTORE_MARK);
}

/** The same for a stream of events. */
export function unfinishedStreamRestore(client: NatsClient, stream: string): Promise<string | null> {
  return streamMark(client, stream, RESTORE_MARK);
}
