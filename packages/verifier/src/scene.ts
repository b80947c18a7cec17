import {
  compileDomain,
  type CompiledProjection,
  type DeletedSequences,
  type DomainCodec,
  type DomainSettings,
  partitionRouter,
  type ProjectionRef,
  type SequenceRange,
  UsageError,
} from "@cim-replay/core";
import {
  deletedWithin,
  deletionsSha256,
  type Ledger,
  type NatsClient,
  type StreamFacts,
  streamFacts,
} from "@cim-replay/nats";
import type { Level } from "./certificate.ts";
import { requireBucket } from "./entries-source.ts";
import { expiredSince, sourceDifference } from "./coverage.ts";
import type { IndexCount } from "./witness.ts";
import type { RunEvidence } from "./run-evidence.ts";

/** What a verification is at: `done` of `total` entries read, sequences read, or values compared. */
export interface VerifyProgress {
  readonly stage: "entries" | "stream" | "values";
  readonly done: number;
  /** Null where it is not known. */
  readonly total: number | null;
}

/** A moment, itself included: by each event's own time, or by the server's receipt. */
export interface AsOf {
  readonly timeMs: number;
  readonly basis: "event" | "server";
  /** Nor anything behind this stream sequence. */
  readonly toSeq?: number;
}

export interface Verification {
  readonly client: NatsClient;
  /** Says which runs wrote the entries, and how far they read; without one, nobody does. */
  readonly ledger: Ledger | null;
  readonly domain: string;
  readonly domainSettings: DomainSettings;
  /** Null: the whole domain. */
  readonly aggregateId: string | null;
  readonly bucket: string;
  readonly level: Level;
  /** As `resolveProjection` gives it; null only where nothing is folded. */
  readonly projection: { readonly ref: ProjectionRef; readonly projection: CompiledProjection } | null;
  /** The run whose records are held against the stream and the bucket; null: the bucket alone is verified. */
  readonly evidence: RunEvidence | null;
  /** All entries are held to this moment, whatever their runs read; null: each to its own run. */
  readonly asOf: AsOf | null;
  /** An archive was restored since the run that is evidence; by default false. */
  readonly wasRestored?: boolean;
  /** Reads on to the stream's end, to say which entries are behind it. */
  readonly toPresent: boolean;
  readonly toolVersion: string;
  /** What the index said a moment ago, where it is known already. */
  readonly counted: IndexCount | null;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: VerifyProgress) => void;
}

/** What there is to be compared, as it is now. */
export interface Scene {
  readonly codec: DomainCodec;
  /** Null where it is gone. */
  readonly stream: StreamFacts | null;
  readonly streamName: string;
  readonly range: SequenceRange;
  /** Within the range. */
  readonly deleted: DeletedSequences | null;
  /** Why the stream cannot be read as the run's; null where it can. */
  readonly unreadable: string | null;
  /** Why what is read says nothing of entries; null where it does. */
  readonly unlike: string | null;
  /** How many sequences of the run's range have gone from the stream's front since, and nothing else with them. */
  readonly expired: number;
  readonly partitions: number;
  readonly partitionOf: (routeKey: string) => number;
}

/** Throws where nothing can be verified at all. */
export async function requireInputs({ client, domain, bucket, level, projection }: Verification): Promise<void> {
  if (level === "full" && projection === null) {
    throw new UsageError(`Cannot fold ${domain} again: no projection is given. Name it, or verify at level content.`);
  }
  await requireBucket(client, bucket, `verify ${domain}`);
}

export async function lookAround(verification: Verification): Promise<Scene> {
  const { client, domain, domainSettings, evidence, toPresent } = verification;
  const codec = compileDomain(domain, domainSettings);
  const streamName = evidence?.plan.stream.name ?? domainSettings.stream;
  const first = await streamFacts(client, streamName);
  if (!first && !evidence) {
    throw new UsageError(`Cannot verify ${domain}: there is no stream ${streamName}. Check domains.${domain}.stream.`);
  }
  const range = evidence?.plan.range ?? { fromSeq: first?.firstSeq || 1, toSeq: first?.lastSeq ?? 0 };
  const deleted = first ? await deletedWithin(client, streamName, range) : null;
  // After the list: where messages go from the front all the while, what is gone by the facts may be more and never less.
  const stream = evidence ? await streamFacts(client, streamName) : first;
  return {
    ...{ codec, stream, streamName, range, deleted },
    ...sourceProblems({ evidence, toPresent }, stream, deleted),
    partitions: evidence?.plan.partitions.length ?? 1,
    partitionOf: evidence ? partitionRouter(evidence.plan) : () => 0,
  };
}

function sourceProblems(
  { evidence, toPresent }: Pick<Verification, "evidence" | "toPresent">,
  stream: StreamFacts | null,
  deleted: DeletedSequences | null,
): Pick<Scene, "unreadable" | "unlike" | "expired"> {
  if (!evidence) return { unreadable: null, unlike: null, expired: 0 };
  const { plan } = evidence;
  const another = sourceDifference(plan, stream, deleted, true);
  // A run has to end with the stream that it began with; whoever looks later must live with what limits remove.
  const expired = toPresent ? expiredSince(evidence, stream, deleted) : 0;
  const sameDeletions = expired > 0 || (deleted !== null && deletionsSha256(deleted) === plan.deleted.sha256);
  const changed = another ?? sourceDifference(plan, stream, deleted, sameDeletions);
  const sentence = (what: string | null) => what && `stream ${plan.stream.name} ${what}`;
  return { unreadable: sentence(another), unlike: sentence(changed), expired };
}
