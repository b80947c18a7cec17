import type { Log } from "@cim-replay/core";
import type { Ledger, NatsClient } from "@cim-replay/nats";
import type { UnitQueue } from "@cim-replay/queue";

/** What coordinating a run needs. */
export interface ReplayContext {
  readonly client: NatsClient;
  readonly ledger: Ledger;
  readonly queue: UnitQueue;
  readonly log: Log;
}
