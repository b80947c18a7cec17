import { createHash } from "node:crypto";
import type { DeletedSequences } from "@cim-replay/core";

/** What a plan pins of the deleted sequences, and whoever looks later compares: lower-case hex of their canonical list. */
export function deletionsSha256(deleted: DeletedSequences): string {
  return createHash("sha256").update(deleted.canonical()).digest("hex");
}
