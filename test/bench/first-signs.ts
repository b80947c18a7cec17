import type { NatsClient } from "@cim-replay/nats";

/** When a command that is watched from outside did what; milliseconds since the epoch. */
export interface FirstSigns {
  /** Its first request to JetStream: it is connected and begins to plan. */
  plannedAtMs: number | null;
  /** The first of its units was claimed by a worker. */
  workedAtMs: number | null;
}

/** Watches what the next command says to the server; nothing is asked of the command itself. */
export async function watchFirstSigns(client: NatsClient): Promise<{ signs: FirstSigns; stop(): void }> {
  const signs: FirstSigns = { plannedAtMs: null, workedAtMs: null };
  const requests = client.nc.subscribe("$JS.API.INFO", {
    callback: () => {
      signs.plannedAtMs ??= Date.now();
    },
  });
  const units = client.nc.subscribe("$KV.CIM_REPLAY.unit.>", {
    callback: (_, message) => {
      if (signs.workedAtMs === null && isAtWork(message.string())) signs.workedAtMs = Date.now();
    },
  });
  await client.nc.flush();
  const stop = () => {
    requests.unsubscribe();
    units.unsubscribe();
  };
  return { signs, stop };
}

function isAtWork(record: string): boolean {
  // Large records are deflated; a unit's is not, but for very many slices.
  return record.startsWith("{") && (JSON.parse(record) as { state: string }).state === "running";
}
