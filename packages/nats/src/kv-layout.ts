import { UsageError } from "@cim-replay/core";
import type { MsgHdrs } from "nats";
import { DEFAULT_API_PREFIX } from "./nats-login.ts";

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

/** Where a message for a stream's subject is sent: a bucket of another domain hears only what comes by that domain's prefix. */
export function sentTo({ apiPrefix }: { readonly apiPrefix: string }, subject: string): string {
  return apiPrefix !== DEFAULT_API_PREFIX && subject.startsWith("$KV.") ? `${apiPrefix}.${subject}` : subject;
}
