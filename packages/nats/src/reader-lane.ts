import type { Subscription } from "nats";

/**
 * One pull request at a time on an inbox of its own, which tells its messages from those of the other lane: the
 * server serves waiting requests in turn and ends a request silently when it is used up.
 */
export interface Lane {
  readonly subscription: Subscription;
  /** Still to come of the request that is out; 0 where none is. */
  messages: number;
  bytes: number;
  askedMessages: number;
  /** Share of the window for the next request. Lanes begin unequal so that they do not run dry together. */
  share: number;
}

export interface PullRequest {
  readonly messages: number;
  /** Infinity: one message, however large. */
  readonly bytes: number;
}

export interface WindowUse {
  readonly maxMessages: number;
  readonly maxBytes: number;
  readonly heldMessages: number;
  readonly heldBytes: number;
  readonly inFlightMessages: number;
  readonly inFlightBytes: number;
  /** How many messages can come at most until the end is seen. */
  readonly remaining: number;
  /** The next message is larger than a lane's share of bytes. */
  readonly oversized: boolean;
}

/** What an idle lane may ask for now; null while there is no room for its whole share. */
export function nextRequest(share: number, use: WindowUse): PullRequest | null {
  const wanted = use.remaining - use.inFlightMessages;
  if (wanted <= 0) return null;
  if (use.oversized) {
    const room = use.inFlightMessages === 0 && use.heldBytes < use.maxBytes && use.heldMessages < use.maxMessages;
    return room ? { messages: 1, bytes: Number.POSITIVE_INFINITY } : null;
  }
  const messages = Math.max(1, Math.floor(use.maxMessages * share));
  const bytes = Math.max(1, Math.floor(use.maxBytes * share));
  if (use.heldMessages + use.inFlightMessages + messages > use.maxMessages) return null;
  if (use.heldBytes + use.inFlightBytes + bytes > use.maxBytes) return null;
  return { messages: Math.min(messages, wanted), bytes };
}
