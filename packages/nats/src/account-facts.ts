import { apiRequest } from "./api-request.ts";
import type { NatsClient } from "./connect.ts";

/** What the login's account may still store and make; −1: no limit. */
export interface AccountFacts {
  readonly storageBytes: number;
  readonly maxStorageBytes: number;
  readonly streams: number;
  readonly maxStreams: number;
  readonly consumers: number;
  readonly maxConsumers: number;
}

export function accountFacts(client: NatsClient): Promise<AccountFacts> {
  return apiRequest("look at the account", async () => {
    const { storage, streams, consumers, limits } = await client.jsm.getAccountInfo();
    return {
      ...{ storageBytes: storage, maxStorageBytes: limits.max_storage },
      ...{ streams, maxStreams: limits.max_streams },
      ...{ consumers, maxConsumers: limits.max_consumers },
    };
  });
}

export interface ClockReading {
  /** The server's time minus ours, by half the way there and back. */
  readonly aheadMs: number;
  readonly roundTripMs: number;
}

/** By what the server says of a stream; null where it says no time (before 2.10) or there is no such stream. */
export async function serverClock(client: NatsClient, stream: string): Promise<ClockReading | null> {
  const sentMs = Date.now();
  const info = await client.jsm.streams.info(stream).catch(() => null);
  const receivedMs = Date.now();
  const serverMs = Date.parse(info?.ts ?? "");
  if (Number.isNaN(serverMs)) return null;
  return { aheadMs: serverMs - (sentMs + receivedMs) / 2, roundTripMs: receivedMs - sentMs };
}
