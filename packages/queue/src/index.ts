export { QUEUE_DEFAULTS, type QueueOptions } from "./options.ts";
export type { UnitJob } from "./unit-job.ts";
export { type QueuedUnit, type UnitJobState, UnitQueue } from "./unit-queue.ts";
export { consumeUnits, type UnitConsumer, type UnitWorker } from "./consume-units.ts";
export { redactRedisUrl } from "./redis-url.ts";
export { type RedisFacts, redisFacts } from "./redis-facts.ts";
export { OLDEST_REDIS } from "./server-facts.ts";
export { openQueueForInspection, type QueueForInspection } from "./queue-for-inspection.ts";
