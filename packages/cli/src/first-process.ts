import type { EventEmitter } from "node:events";

/** What ends a process by default, with its number: a shell's status for it is 128 more. */
const ENDING = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/**
 * The first process of a container is spared by signals that it does not handle, so that a command without handlers of its own
 * would neither hear Ctrl-C nor `docker stop`. Gives such a process the end that any other has; where a command listens, it decides.
 */
export function endOnSignals(process: EventEmitter, exit: (status: number) => void): void {
  for (const [signal, number] of Object.entries(ENDING)) {
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) exit(128 + number);
    });
  }
}
