import { ReplayError, SourceChangedError, UnreachableError } from "@cim-replay/core";
import type { MessagePort } from "node:worker_threads";
import type { PackedBatch } from "./batch-transfer.ts";
import { PermissionDeniedError } from "./denied.ts";
import type { ReadOptions } from "./reader.ts";

/** What of a read can be said to another thread. */
export type PlainReadOptions = Omit<ReadOptions, "signal" | "gauge" | "onRecovered" | "onLibrary" | "parser" | "soFar">;

/** To the thread that reads: everything about this read goes over `port`, and the read ends where that is closed. */
export interface ReadOrder {
  readonly options: PlainReadOptions;
  readonly port: MessagePort;
}

export type Order = ReadOrder | typeof LEAVE;

/** From the thread that reads; each batch is answered with a `RELEASE` once it is done with. */
export type ReadNews =
  | { readonly kind: "batch"; readonly batch: PackedBatch }
  | { readonly kind: "recovered"; readonly what: string }
  /** A message cannot be handed over: whoever asked reads on by itself. */
  | { readonly kind: "unfit" }
  | { readonly kind: "ended" }
  | { readonly kind: "failed"; readonly error: PlainError };

/** From the thread itself: what the server has refused its connection. */
export interface DenialNews {
  readonly message: string;
  readonly operation: "publish" | "subscription";
  readonly subject: string;
}

export const RELEASE = "release";
/** To the thread itself: no more orders come, and it may leave. */
export const LEAVE = "leave";

/** The class of an error does not survive the way from one thread to another. */
interface PlainError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
}

const CLASSES = [ReplayError, SourceChangedError, UnreachableError, PermissionDeniedError];

export function plainError(error: unknown): PlainError {
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  return { name, message, stack };
}

export function errorFrom({ name, message, stack }: PlainError): Error {
  const ErrorClass = CLASSES.find((each) => each.name === name);
  return ErrorClass ? new ErrorClass(message) : Object.assign(new Error(message), { name, stack });
}
