import { type CheckpointRef, entryKey, ReplayError } from "@cim-replay/core";
import { RetentionPolicy, StorageType } from "@nats-io/jetstream";
import { nuid } from "nats";
import { chunkHeaders, ChunkOrder } from "./checkpoint-chunks.ts";
import type { NatsClient } from "./connect.ts";
import { type PulledMessage, PullInterrupted, pullToEnd } from "./message-pull.ts";
import { storedSeq } from "./publish-ack.ts";
import { withRetries } from "./publish-retry.ts";
import { type Outgoing, PublishWindow } from "./publish-window.ts";
import { ensureStream } from "./stream-ensure.ts";

const STREAM = "CIM_REPLAY_CHECKPOINTS";
const WINDOW = { maxPending: 64, maxPendingBytes: 8 * 1024 * 1024 };
