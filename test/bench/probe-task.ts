/** What a probe is told, as its one argument in JSON. */
export interface ProbeTask {
  readonly url: string;
  readonly redisUrl: string;
  readonly stream: string;
  readonly bucket: string;
  readonly events: number;
  /** That so many events have where lives are as long as the whole stream's. */
  readonly aggregates: number;
  readonly eventBytes: number;
  readonly projection: string;
}

/** What it says, as one line of JSON. */
export interface ProbeResult {
  readonly seconds: number;
  readonly cpuMicros: number;
  readonly peakBytes: number;
  /** Processor time in each stage over all events; null where they are not told apart. */
  readonly stageMicros: Readonly<Record<string, number>> | null;
}

/** What a probe's work may say for itself, where connecting and preparing are not to be counted. */
export type OwnFigures = Partial<Omit<ProbeResult, "peakBytes">>;
