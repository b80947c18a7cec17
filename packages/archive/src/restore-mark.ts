import { bucketStream, type NatsClient, RESTORE_MARK, streamMark } from "@cim-replay/nats";

/** The command that finishes the restore of a bucket; null where none is unfinished. */
export function unfinishedRestore(client: NatsClient, bucket: string): Promise<string | null> {
  return streamMark(client, bucketStream(bucket), RESTORE_MARK);
}

/** The same for a stream of events. */
export function unfinishedStreamRestore(client: NatsClient, stream: string): Promise<string | null> {
  return streamMark(client, stream, RESTORE_MARK);
}
