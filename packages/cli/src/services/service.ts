import type { Argv, Ran } from "./run-program.ts";

/** As it is now. `unknown`: whoever knows could not be asked, and `detail` says why. */
export type ServiceState = "running" | "starting" | "stopping" | "stopped" | "unknown";

export interface Probe {
  readonly state: ServiceState;
  /** In the words of whoever manages the service. */
  readonly detail: string;
  /** How many copies are wanted; null where its manager knows no number. */
  readonly replicas: number | null;
}

/** One service that can be stopped and started. It decides nothing: when, and for how long, is the caller's. */
export interface Service {
  readonly name: string;
  readonly kind: string;
  /** For people, e.g. `deployment/cim-graph in cim`. */
  readonly target: string;
  readonly timeoutMs: number;
  /** Where its programs run: relative paths in them are the settings file's. */
  readonly folder: string;
  probe(run: (argv: Argv) => Promise<Ran>): Promise<Probe>;
  stopping(): Argv;
  /** `replicas` as it was remembered. */
  starting(replicas: number | null): Argv;
}

export const unknown = (detail: string): Probe => ({ state: "unknown", detail, replicas: null });
