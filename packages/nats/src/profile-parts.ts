import { createHash } from "node:crypto";
import { z } from "zod";
import type { NatsClient } from "./connect.ts";

const PART_BYTES = 128 * 1024;
const HEAD_BYTES = 4;
/** Nobody's profile is larger; a stranger's message shall not make a reader hold more. */
const MOST_PARTS = 4_096;

const partSchema = z.object({
  workerId: z.string(),
  /** One worker may send several, where it was without a unit in between. */
  recording: z.string(),
  index: z.int().nonnegative(),
  parts: z.int().nonnegative().max(MOST_PARTS),
  /** Of the whole; null in the first word, which only says that a recording has begun. */
  sha256: z.string().nullable(),
});

export interface ProfilePart extends z.infer<typeof partSchema> {
  readonly body: Uint8Array;
}

const profileSubject = (profileId: string) => `_CIM_REPLAY.profile.${profileId}`;

/**
 * Sends one recording in parts of bounded size, each of which has left before the next; without bytes, that it has begun.
 * Lost where nobody listens. Throws PermissionDeniedError where it may not be sent.
 */
export async function sendProfile(
  client: NatsClient,
  to: { profileId: string; workerId: string; recording: string },
  bytes: Uint8Array | null,
): Promise<void> {
  const { profileId, workerId, recording } = to;
  const parts = bytes === null ? 0 : Math.max(1, Math.ceil(bytes.length / PART_BYTES));
  const sha256 = bytes === null ? null : createHash("sha256").update(bytes).digest("hex");
  for (let index = 0; index < Math.max(1, parts); index++) {
    if (client.nc.isClosed() || client.nc.isDraining()) return;
    const head = Buffer.from(JSON.stringify({ workerId, recording, index, parts, sha256 }));
    const length = Buffer.alloc(HEAD_BYTES);
    length.writeUInt32BE(head.length);
    const body = bytes?.subarray(index * PART_BYTES, (index + 1) * PART_BYTES) ?? new Uint8Array();
    client.nc.publish(profileSubject(profileId), Buffer.concat([length, head, body]));
    await client.settle();
    client.denials.throwIfAny("send a profile", (subject) => subject === profileSubject(profileId));
  }
}

/** Returns what ends it. Messages that are no such parts are dropped. */
export function onProfileParts(
  client: NatsClient,
  profileId: string,
  handler: (part: ProfilePart) => void,
): () => void {
  const subscription = client.nc.subscribe(profileSubject(profileId), {
    callback: (error, message) => {
      const part = error ? null : partOf(Buffer.from(message.data));
      if (part) handler(part);
    },
  });
  return () => subscription.unsubscribe();
}

function partOf(data: Buffer): ProfilePart | null {
  if (data.length < HEAD_BYTES) return null;
  const end = HEAD_BYTES + data.readUInt32BE();
  try {
    const head = partSchema.parse(JSON.parse(data.toString("utf8", HEAD_BYTES, end)));
    return { ...head, body: data.subarray(end) };
  } catch {
    return null;
  }
}
