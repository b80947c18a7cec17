import { UsageError } from "@cim-replay/core";
import type { MsgHdrs } from "nats";

/** How a KV bucket lies on a stream. */
export const OPERATION_HEADER = "KV-Operation";
export const DELETE_MARKER = "DEL";

export function bucketStream(bucket: string): string {
  if (!/^[-\w]+$/.test(bucket)) {
    throw new UsageError(
      `Cannot use bucket "${bucket}": a name has only letters, digits, - and _. Name another target.`,
    );
  }
  return `KV_${bucket}`;
}

export function keySubject(bucket: string, key: string): string {
  return `$KV.${bucket}.${key}`;
}

/** Whether a message says that its key is deleted or purged. */
export function isDeleteMarker(header: MsgHdrs | undefined): boolean {
  return header?.has(OPERATION_HEADER) === true && header.get(OPERATION_HEADER) !== "PUT";
}
