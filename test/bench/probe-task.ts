/** What a probe is told, as its one argument in JSON. */
export interface ProbeTask {
  readonly url: string;
  readonly stream: string;
  readonly bucket: string;
  readonly events: number;
}

/** What it says, as one line of JSON. */
export interface ProbeResult {
  readonly seconds: number;
  readonly cpuMicros: number;
  readonly peakBytes: number;
}
