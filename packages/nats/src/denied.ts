import { ReplayError } from "@cim-replay/core";
import { type NatsConnection, PermissionViolationError } from "nats";

const MOST_KEPT = 1_000;

/** The server does not let this login do what it takes: exit 1, and no reason to try again. */
export class PermissionDeniedError extends ReplayError {
  override readonly name = "PermissionDeniedError";
}

/** `what` completes "Cannot …". */
export function permissionDenied(what: string, violation: PermissionViolationError): PermissionDeniedError {
  const { operation, subject } = violation;
  const how = operation === "publish" ? "publish" : "subscribe";
  return new PermissionDeniedError(
    `Cannot ${what}: this login has no permission to ${how} to ${subject}. Allow it on the NATS server (docs/security.md has the lists), or use another login.`,
    { cause: violation },
  );
}

/** The server's refusal inside an error of the client library; null where it is another error. */
export function violationIn(error: unknown): PermissionViolationError | null {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof PermissionViolationError) return at;
  return null;
}

/**
 * What the server has refused this connection. Publishing without a request for an answer fails in no other place: the
 * server's refusal names the subject, and comes before any later answer.
 */
export class Denials {
  readonly #bySubject = new Map<string, PermissionViolationError>();
  readonly #listeners = new Set<(violation: PermissionViolationError) => void>();

  follow(nc: NatsConnection): void {
    void this.#watch(nc);
  }

  /** Calls back at each refusal; returns what ends that. */
  onDenied(listener: (violation: PermissionViolationError) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Throws PermissionDeniedError where a subject of interest was refused. `what` completes "Cannot …". */
  throwIfAny(what: string, isOfInterest: (subject: string) => boolean = () => true): void {
    for (const [subject, violation] of this.#bySubject) {
      if (isOfInterest(subject)) throw permissionDenied(what, violation);
    }
  }

  /** Also of another connection of the same login that works for this one. */
  note(violation: PermissionViolationError): void {
    if (this.#bySubject.size < MOST_KEPT) this.#bySubject.set(violation.subject, violation);
    for (const listener of [...this.#listeners]) listener(violation);
  }

  async #watch(nc: NatsConnection): Promise<void> {
    for await (const status of nc.status()) {
      // A server whose permissions were changed cuts the connections that they are about.
      if (status.type === "reconnect") this.#bySubject.clear();
      if (status.type !== "error" || !(status.error instanceof PermissionViolationError)) continue;
      this.note(status.error);
    }
  }
}
