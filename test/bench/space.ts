import { statfs } from "node:fs/promises";
import { freemem, tmpdir } from "node:os";
import { formatSize, UsageError } from "@cim-replay/core";
import type { Dataset } from "./dataset.ts";

/** A message's own, beside its payload: subject, headers of the block, index. */
const OVERHEAD_BYTES = 160;
/** Entries, checkpoints and segments lie beside the streams for a while. */
const ROOM = 1.5;

/** Throws before anything is written where the streams would fill the disk or the memory. */
export async function requireSpace(datasets: Iterable<Dataset>): Promise<void> {
  const need = { file: 0, memory: 0 };
  for (const { events, eventBytes, storage } of datasets)
    need[storage] += events * (eventBytes + OVERHEAD_BYTES) * ROOM;
  const { bavail, bsize } = await statfs(tmpdir());
  const shortage = (what: string, needed: number, free: number) =>
    `Cannot publish the streams: they need about ${formatSize(needed)} of ${what}, ${formatSize(free)} are free. Take fewer --events, or --only some of the measurements.`;
  if (need.file > bavail * bsize) throw new UsageError(shortage(tmpdir(), need.file, bavail * bsize));
  if (need.memory > freemem()) throw new UsageError(shortage("memory", need.memory, freemem()));
}
