import { silentLog } from "@cim-replay/core";
import { type MemorySettings, WorkingSet } from "./working-set.ts";

/** Of the domain graph, without a limit. */
export function workingSet(bufferMode: MemorySettings["bufferMode"] = "memory"): Promise<WorkingSet> {
  return WorkingSet.open(
    { domain: "graph", targets: 1 },
    { bufferMode, memoryLimitBytes: null, gcInterval: null },
    silentLog,
  );
}
