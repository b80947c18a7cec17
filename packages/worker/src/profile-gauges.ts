import {
  type EventLoopUtilization,
  type IntervalHistogram,
  monitorEventLoopDelay,
  performance,
  PerformanceObserver,
} from "node:perf_hooks";
import type { WorkerProfile } from "@cim-replay/core";
import type { NatsClient } from "@cim-replay/nats";

const RESOLUTION_MS = 10;
const NANOS_PER_MS = 1e6;

type Gauged = Pick<WorkerProfile, "wallMs" | "cpuMs" | "eventLoop" | "gc" | "received">;

/** The process's own measures from now to `read`: processor, event loop, garbage, and what came through its connection. */
export class ProfileGauges {
  readonly #client: NatsClient;
  readonly #startedAt = performance.now();
  readonly #cpu = process.cpuUsage();
  readonly #loop: EventLoopUtilization = performance.eventLoopUtilization();
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #observer: PerformanceObserver;
  readonly #received: { inBytes: number; inMsgs: number };
  #gc = { count: 0, totalMs: 0, longestMs: 0 };

  constructor(client: NatsClient) {
    this.#client = client;
    this.#received = client.nc.stats();
    this.#delay.enable();
    this.#observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) {
        this.#gc = {
          count: this.#gc.count + 1,
          totalMs: this.#gc.totalMs + duration,
          longestMs: Math.max(this.#gc.longestMs, duration),
        };
      }
    });
    this.#observer.observe({ entryTypes: ["gc"] });
  }

  /** Ends the measuring. */
  read(): Gauged {
    const { user, system } = process.cpuUsage(this.#cpu);
    const { utilization } = performance.eventLoopUtilization(this.#loop);
    const { inBytes, inMsgs } = this.#client.nc.stats();
    this.#delay.disable();
    this.#observer.disconnect();
    return {
      wallMs: performance.now() - this.#startedAt,
      cpuMs: (user + system) / 1000,
      eventLoop: {
        meanMs: delayMs(this.#delay.mean),
        p99Ms: delayMs(this.#delay.percentile(99)),
        maxMs: delayMs(this.#delay.max),
        utilization,
      },
      gc: this.#gc,
      received: {
        bytes: Math.max(0, inBytes - this.#received.inBytes),
        messages: Math.max(0, inMsgs - this.#received.inMsgs),
      },
    };
  }
}

/** The histogram holds what passed between two ticks of its timer: its own period is no delay. */
function delayMs(nanos: number): number {
  return Number.isFinite(nanos) ? Math.max(0, nanos / NANOS_PER_MS - RESOLUTION_MS) : 0;
}
