import { errorMessage, ReplayError, UnreachableError } from "@cim-replay/core";
import { JetStreamApiError } from "@nats-io/jetstream";
import { permissionDenied, violationIn } from "./denied.ts";

/** The server's own code for "JetStream system temporarily unavailable": no leader yet, or it is starting. */
const TEMPORARILY_UNAVAILABLE = 10008;

/**
 * Runs one JetStream API request. A time-out, a lost connection or a server without a leader become UnreachableError,
 * what the server refuses becomes ReplayError: "Cannot {action}: …", a missing permission PermissionDeniedError.
 */
export async function apiRequest<T>(action: string, request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    if (error instanceof ReplayError) throw error;
    const violation = violationIn(error);
    if (violation) throw permissionDenied(action, violation);
    if (error instanceof JetStreamApiError && error.code !== TEMPORARILY_UNAVAILABLE) {
      throw new ReplayError(`Cannot ${action}: ${error.message}.`, { cause: error });
    }
    throw new UnreachableError(
      `Cannot ${action}: NATS does not answer (${errorMessage(error)}). Check that the server runs and JetStream is up.`,
      { cause: error },
    );
  }
}
