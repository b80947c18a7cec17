import type { ProbeWork } from "../case.ts";
import { ProcessWatch } from "../process-watch.ts";
import { emmettModules } from "./emmett-modules.ts";
import { startPostgres } from "./postgres.ts";

interface PeerServices {
  /** What the peer's process must know. */
  readonly env: Readonly<Record<string, string>>;
  /** Processor time so far of servers that only this peer has. */
  serverMicros(): number;
}

/** What a peer needs beyond NATS and Redis, for the length of the work. */
export async function withPeerServices<T>(
  program: ProbeWork["program"],
  work: (services: PeerServices) => Promise<T>,
): Promise<T> {
  if (program !== "emmett-rebuild") return work({ env: {}, serverMicros: () => 0 });
  const modules = await emmettModules();
  const postgres = await startPostgres();
  // A process for each connection.
  const watch = new ProcessWatch(postgres.pid);
  try {
    return await work({
      env: { EMMETT_MODULES: modules, POSTGRES_URL: postgres.databaseUrl },
      serverMicros: () => watch.children.reduce((sum, { cpuMicros }) => sum + cpuMicros, watch.root.cpuMicros),
    });
  } finally {
    watch.stop();
    await postgres.stop();
  }
}
