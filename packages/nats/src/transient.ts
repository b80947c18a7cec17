import { type ApiError, JetStreamApiError } from "@nats-io/jetstream";
import { ConnectionError, RequestError, TimeoutError } from "nats";
import { violationIn } from "./denied.ts";

const TOO_BUSY = 429;
const NOT_AVAILABLE = 503;
/** Both come with status 503, and stay true until somebody makes room. */
const INSUFFICIENT_RESOURCES = 10023;
const STORE_FAILED = 10077;

/** Whether another attempt may succeed: no answer, nobody there, or a cluster without a leader. A refusal stays one. */
export function isTransient(error: unknown): boolean {
  // The client hands it on inside an error that also stands for no answer.
  if (violationIn(error) !== null) return false;
  if (error instanceof JetStreamApiError) return isTransientRefusal(error.apiError());
  if (error instanceof TimeoutError || error instanceof ConnectionError) return true;
  if (error instanceof RequestError) return true;
  // "JetStream is not enabled" is how the client words that nobody answered; the server's own words are an API error.
  return error instanceof Error && error.cause instanceof RequestError;
}

/** Of the server's own answer: whether it may be another one soon. */
export function isTransientRefusal({ code, err_code, description }: ApiError): boolean {
  // A store that is being closed belongs to a server that is being stopped.
  if (err_code === STORE_FAILED) return /closed|shut/i.test(description);
  return code === TOO_BUSY || (code === NOT_AVAILABLE && err_code !== INSUFFICIENT_RESOURCES);
}
