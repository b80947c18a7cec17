import type { NatsConnection } from "nats";

const SHORTEST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 5_000;

/** Whether a connection stands, and how it is won back: endlessly, with growing, jittered waits. */
export class Link {
  up = true;
  /** For good: nothing will bring this connection back. */
  closed = false;
  #downSinceMs: number | null = null;
  readonly #listeners = new Set<() => void>();

  /** Called by the client before each attempt: half as long as the outage has lasted, ±20 %, 100 ms to 5 s. */
  retryDelayMs(): number {
    const outageMs = this.#downSinceMs === null ? 0 : Date.now() - this.#downSinceMs;
    const delayMs = Math.min(Math.max(outageMs / 2, SHORTEST_RETRY_MS), LONGEST_RETRY_MS);
    return Math.round(delayMs * (0.8 + 0.4 * Math.random()));
  }

  follow(nc: NatsConnection): void {
    void this.#watch(nc);
    void nc.closed().then(() => this.#set(false, true));
  }

  /** Calls back whenever `up` or `closed` changes; returns what ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when the connection stands or is closed for good, or after `timeoutMs`. */
  async waitUntilUp(timeoutMs: number): Promise<void> {
    if (this.up || this.closed) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        stop();
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      const stop = this.onChange(() => {
        if (this.up || this.closed) done();
      });
    });
  }

  async #watch(nc: NatsConnection): Promise<void> {
    for await (const status of nc.status()) {
      if (status.type === "disconnect") this.#set(false, false);
      else if (status.type === "reconnect") this.#set(true, false);
    }
  }

  #set(up: boolean, closed: boolean): void {
    if (up) this.#downSinceMs = null;
    else this.#downSinceMs ??= Date.now();
    this.up = up;
    this.closed ||= closed;
    for (const listener of [...this.#listeners]) listener();
  }
}
