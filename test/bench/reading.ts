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

/** Two commands for the same events, one after the other, as if they were one. */
export function oneAfterTheOther(one: Reading, other: Reading): Reading {
  return {
    ...one,
    seconds: one.seconds + other.seconds,
    workerMicros: one.workerMicros + other.workerMicros,
    serverMicros: one.serverMicros + other.serverMicros,
    coordinatorMicros: one.coordinatorMicros + other.coordinatorMicros,
    peakBytes: Math.max(one.peakBytes, other.peakBytes),
    commandSeconds: (one.commandSeconds ?? 0) + (other.commandSeconds ?? 0),
  };
}
