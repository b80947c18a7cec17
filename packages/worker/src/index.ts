export { type ReplayWorker, startWorker, type WorkerOptions } from "./worker.ts";
export { loadProjection, resolveProjection } from "./load-projection.ts";
