import type { NatsClient } from "@cim-replay/nats";

interface Report {
  readonly unit: string;
  readonly epoch: number;
  readonly stageMicros: Readonly<Record<string, number>>;
}

/** Sums up what workers say of their stages; the last report of a unit is sent when it is done. */
export function watchStageTimes({ nc }: NatsClient): { sums(): Record<string, number>; stop(): void } {
  const latest = new Map<string, Report>();
  const subscription = nc.subscribe("_CIM_REPLAY.live.>", {
    callback: (_, message) => {
      const report = message.json<Report>();
      latest.set(`${report.unit}/${report.epoch}`, report);
    },
  });
  return {
    sums() {
      const sums: Record<string, number> = {};
      for (const { stageMicros } of latest.values()) {
        for (const [stage, micros] of Object.entries(stageMicros)) sums[stage] = (sums[stage] ?? 0) + micros;
      }
      return sums;
    },
    stop: () => subscription.unsubscribe(),
  };
}
