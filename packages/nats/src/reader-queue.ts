import type { StreamMessage } from "@cim-replay/core";

/** What was received and not yet taken, and the size of that and of what the taker has in hands. */
export class MessageQueue {
  /** Waiting or in the taker's hands. */
  heldMessages = 0;
  heldBytes = 0;
  #waiting: StreamMessage[] = [];
  #waitingBytes = 0;
  #wake: (() => void) | null = null;

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  push(message: StreamMessage, bytes: number): void {
    this.#waiting.push(message);
    this.#waitingBytes += bytes;
    this.heldMessages++;
    this.heldBytes += bytes;
    if (this.#wake !== null) this.wake();
  }

  /** All that waits. It stays accounted for until `release`. */
  take(): readonly StreamMessage[] {
    const taken = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    return taken;
  }

  /** The taker is done with what it took. */
  release(): void {
    this.heldMessages = this.#waiting.length;
    this.heldBytes = this.#waitingBytes;
  }

  wake(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  /** Resolves true when something was pushed or `wake` called, false after `timeoutMs`. */
  wait(timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#wake = null;
        resolve(false);
      }, timeoutMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }
}
