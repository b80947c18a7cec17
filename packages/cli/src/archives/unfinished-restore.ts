import { unfinishedRestore, unfinishedStreamRestore } from "@cim-replay/archive";
import type { NatsClient } from "@cim-replay/nats";
import type { Screen } from "../output/screen.ts";

/** Says it where a restore of the bucket was begun and has not ended: its entries are then partly old, partly new. */
export async function noteUnfinishedRestore(
  client: NatsClient,
  bucket: string,
  screen: Pick<Screen, "note">,
): Promise<void> {
  say(await unfinishedRestore(client, bucket), `Bucket ${bucket}`, screen);
}

/** The same of a stream of events, of which then only the first part is there. */
export async function noteUnfinishedStream(
  client: NatsClient,
  stream: string,
  screen: Pick<Screen, "note">,
): Promise<void> {
  say(await unfinishedStreamRestore(client, stream), `Stream ${stream}`, screen);
}

function say(command: string | null, what: string, screen: Pick<Screen, "note">): void {
  if (command === null) return;
  screen.note(`${what} is half restored: a restore was begun and has not ended. Finish it with: ${command}`);
}
