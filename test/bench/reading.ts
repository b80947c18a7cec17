/** What one measurement gave. */
export interface Reading {
  readonly events: number;
  /** What rates and ratios are made of. */
  readonly seconds: number;
  /** CPU time of what does the work; of the NATS server meanwhile; of what only coordinates. */
  readonly workerMicros: number;
  readonly serverMicros: number;
  readonly coordinatorMicros: number;
  /** The most memory that one of the processes which do the work had resident. */
  readonly peakBytes: number;
  /** From the start of the command to its end, and to its first unit at work; null where it is no command. */
  readonly commandSeconds: number | null;
  readonly firstUnitSeconds: number | null;
}

export function eventsPerSecond({ events, seconds }: Reading): number {
  return events / seconds;
}
