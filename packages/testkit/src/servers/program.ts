/** How one kind of server is started and how it shows that it is ready; what all kinds share is in managed-server.ts. */
export interface ServerProgram {
  readonly scheme: "nats" | "redis" | "postgresql";
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
  /** Writes what the server needs into its folder and gives its arguments. Called before every start. */
  prepare(dir: string, port: number): Promise<string[]>;
  /** Whether this very server (not another one on its port) answers and has loaded its data. */
  isReady(port: number): Promise<boolean>;
}
