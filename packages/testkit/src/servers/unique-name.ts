import { randomBytes } from "node:crypto";

/** `prefix` and eight random hex digits: a name for a stream, bucket or queue that no other test on the same servers has. */
export function uniqueName(prefix: string): string {
  return `${prefix}_${randomBytes(4).toString("hex")}`;
}
