import { setTimeout as sleep } from "node:timers/promises";
import { errorMessage, ReplayError, UnreachableError } from "@cim-replay/core";
import { JetStreamApiCodes, JetStreamApiError } from "@nats-io/jetstream";
import { RequestError } from "nats";
import type { NatsClient } from "./connect.ts";
import { permissionDenied, violationIn } from "./denied.ts";
import type { Link } from "./link.ts";
import { isTransient } from "./transient.ts";

/** How long an operation is tried again before its server counts as unreachable. */
export const GIVE_UP_AFTER_MS = 60_000;
const FIRST_DELAY_MS = 50;
const LONGEST_DELAY_MS = 2_000;

/** The server's own code for a stream that is there with other settings. */
export const STREAM_NAME_IN_USE = 10058;

/** Thrown by an attempt that found nothing wrong but must look again. */
export class TryAgain extends Error {
  override readonly name = "TryAgain";
}

export function isWrongRevision(error: unknown): boolean {
  return error instanceof JetStreamApiError && isWrongRevisionCode(error.code);
}

export function isWrongRevisionCode(code: number): boolean {
  return (
    code === JetStreamApiCodes.StreamWrongLastSequence || code === JetStreamApiCodes.StreamWrongLastSequenceUnknown
  );
}

export function isStreamNotFound(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound;
}

/**
 * Attempts until one succeeds, with back-off. `what` completes "Cannot …". An attempt whose connection broke is given
 * up while it may still be at work: attempts must bear running twice.
 * Throws UnreachableError after a minute without an answer, ReplayError with the server's words where it refuses, PermissionDeniedError at once.
 */
export async function withRetries<T>(
  client: NatsClient,
  what: string,
  attempt: () => Promise<T>,
  giveUpAfterMs = GIVE_UP_AFTER_MS,
): Promise<T> {
  const deadline = performance.now() + giveUpAfterMs;
  for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS)) {
    // Asked while the connection is down, a request would only run into its time-out.
    await client.link.waitUntilUp(deadline - performance.now());
    try {
      return await unlessCut(client.link, attempt);
    } catch (error) {
      if (error instanceof ReplayError && !(error instanceof UnreachableError)) throw error;
      if (client.nc.isClosed()) throw unreachable(what, "the connection is closed", error);
      const violation = violationIn(error);
      if (violation) throw permissionDenied(what, violation);
      if (!mayPass(error)) throw isRefusal(error) ? refused(what, error) : error;
      if (performance.now() + delayMs > deadline) {
        throw unreachable(what, `NATS has not answered for ${Math.round(giveUpAfterMs / 1000)} s`, error);
      }
    }
    await sleep(delayMs);
  }
}

/** Requests under way when the connection breaks are never answered: they need not run into their time-outs. */
async function unlessCut<T>(link: Link, attempt: () => Promise<T>): Promise<T> {
  const cut = Promise.withResolvers<never>();
  const stop = link.onChange(() => {
    if (!link.up) cut.reject(new TryAgain("the connection was lost"));
  });
  try {
    return await Promise.race([attempt(), cut.promise]);
  } finally {
    stop();
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof JetStreamApiError || error instanceof RequestError;
}

function mayPass(error: unknown): boolean {
  return error instanceof TryAgain || error instanceof UnreachableError || isTransient(error);
}

export function unreachable(what: string, why: string, cause?: unknown): UnreachableError {
  return new UnreachableError(`Cannot ${what}: ${why}. Check that the NATS server is up and run the command again.`, {
    cause,
  });
}

function refused(what: string, cause: unknown): ReplayError {
  return new ReplayError(`Cannot ${what}: ${errorMessage(cause)}. Check the NATS server's JetStream and its log.`, {
    cause,
  });
}
