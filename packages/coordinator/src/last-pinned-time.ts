import { compileDomain, isMalformed, type Plan, type RunRecord } from "@cim-replay/core";
import { type NatsClient, readStream } from "@cim-replay/nats";

const TAIL_SEQUENCES = 200;

/**
 * The time of the last pinned event, which lag is measured against; null where none of the last few messages tells. Only
 * for watching, so that failing to find it is no matter.
 */
export async function lastPinnedTime(client: NatsClient, run: RunRecord, plan: Plan): Promise<number | null> {
  try {
    return await readTail(client, run, plan);
  } catch {
    return null;
  }
}

async function readTail(client: NatsClient, run: RunRecord, plan: Plan): Promise<number | null> {
  const codec = compileDomain(plan.domain, run.settings.domainSettings);
  const messages = readStream(client, {
    stream: plan.stream.name,
    created: plan.stream.created,
    range: { fromSeq: Math.max(plan.range.fromSeq, plan.range.toSeq - TAIL_SEQUENCES), toSeq: plan.range.toSeq },
    filterSubjects: [],
    maxMessages: TAIL_SEQUENCES,
    maxBytes: 8 * 1024 * 1024,
    noProgressMs: 5_000,
    signal: AbortSignal.timeout(10_000),
  });
  let lastAtMs: number | null = null;
  for await (const batch of messages) {
    for (const message of batch) {
      const key = codec.route(message.subject);
      if (key === undefined) continue;
      const event = codec.decode(message, key);
      if (!isMalformed(event)) lastAtMs = event.timestampMs;
    }
  }
  return lastAtMs;
}
