import { errorMessage, ReplayError } from "@cim-replay/core";
import { JetStreamApiError } from "@nats-io/jetstream";
import type { NatsClient } from "./connect.ts";

const AUTO_IN_CLUSTER = 3;
/** The server's own codes: too few servers with JetStream or with room; and no cluster at all. */
const NO_SUITABLE_PEERS = 10005;
const NOT_CLUSTERED = 10074;

/**
 * Makes a stream, or what lies on one, with the client's number of replicas. Throws what `make` throws, and ReplayError
 * where more were asked for than can be. `what` completes "Cannot make …".
 */
export async function withReplicas<Made>(
  client: NatsClient,
  what: string,
  make: (replicas: number) => Promise<Made>,
): Promise<Made> {
  const { replicas } = client;
  const wanted = replicas === "auto" ? (client.nc.info?.cluster ? AUTO_IN_CLUSTER : 1) : replicas;
  try {
    return await make(wanted);
  } catch (error) {
    if (wanted === 1 || !isTooMany(error)) throw error;
    if (replicas === "auto") return await make(1);
    throw new ReplayError(
      `Cannot make ${what} with ${replicas} replicas: ${errorMessage(error)}. Set --nats-replicas to what the servers have room for.`,
      { cause: error },
    );
  }
}

function isTooMany(error: unknown): boolean {
  return error instanceof JetStreamApiError && (error.code === NO_SUITABLE_PEERS || error.code === NOT_CLUSTERED);
}
