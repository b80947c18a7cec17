import { type MsgHdrs, nuid } from "nats";
import type { NatsClient } from "./connect.ts";
import { sentTo } from "./kv-layout.ts";
import { isWrongRevision, TryAgain, withRetries } from "./publish-retry.ts";

export const EXPECTED_REVISION_HEADER = "Nats-Expected-Last-Subject-Sequence";
/** One value a write, so that a write whose answer was lost is told from another's. */
const WRITE_ID_HEADER = "Cim-Replay-Write";
const ANSWER_WITHIN_MS = 5_000;

export interface ConditionalWrite {
  readonly stream: string;
  readonly subject: string;
  readonly data: Uint8Array | string;
  readonly headers: MsgHdrs;
  /** Sequence of the subject's last message; 0: it must have none. */
  readonly expectedRevision: number;
  /** Completes "Cannot …". */
  readonly what: string;
}

/**
 * One compare-and-set. The new revision, or null where the subject is no longer at the expected one.
 * A refusal and a lost answer are settled by reading what came after the expected revision, so that neither reports a
 * false conflict nor a false success, unless the stream keeps less history than was written meanwhile.
 */
export async function compareAndSet(client: NatsClient, write: ConditionalWrite): Promise<number | null> {
  const writeId = nuid.next();
  write.headers.set(WRITE_ID_HEADER, writeId);
  write.headers.set(EXPECTED_REVISION_HEADER, String(write.expectedRevision));
  return await withRetries(client, write.what, async () => {
    try {
      const options = { headers: write.headers, timeout: ANSWER_WITHIN_MS };
      return (await client.js.publish(sentTo(client, write.subject), write.data, options)).seq;
    } catch (error) {
      if (!isWrongRevision(error)) throw error;
      // Not even of the first attempt is a refusal the last word: after a cluster was parted, a server that led before may answer
      // beside the one that leads now, and refuse what that one stores.
      return await ownRevision(client, write, writeId);
    }
  });
}

/** The write that followed the expected revision: its revision where it was this one, null where it was another's. */
async function ownRevision(client: NatsClient, write: ConditionalWrite, writeId: string): Promise<number | null> {
  const { stream, subject, expectedRevision } = write;
  // The server takes both together, the client's type knows only the first.
  const query = { seq: expectedRevision + 1, next_by_subj: subject };
  const message = await client.jsm.streams.getMessage(stream, query);
  if (message !== null) return message.header.get(WRITE_ID_HEADER) === writeId ? message.seq : null;
  const head = await client.jsm.streams.getMessage(stream, { last_by_subj: subject });
  if ((head?.seq ?? 0) === expectedRevision) throw new TryAgain("refused because of a write that is still under way");
  return null;
}
