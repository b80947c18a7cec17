export { type ReplayWorker, startWorker, type WorkerOptions } from "./worker.ts";
export { loadProjection, resolveProjection } from "./load-projection.ts";
// What a unit's pass is made of, for whoever measures its parts.
export { type Aggregate, AggregateTable } from "./aggregate-table.ts";
export { ContentDigest } from "./content-digest.ts";
export { UnitFold } from "./unit-fold.ts";
