import { type RunSettings, type SequenceRange, UsageError } from "@cim-replay/core";
import { type NatsClient, type StreamFacts, seqAtTime } from "@cim-replay/nats";

/** What of the stream a run reads. Throws UsageError where that is nothing. */
export async function requestedRange(
  client: NatsClient,
  settings: RunSettings,
  stream: StreamFacts,
): Promise<SequenceRange> {
  let fromSeq = Math.max(stream.firstSeq, settings.fromSeq ?? 0);
  let toSeq = Math.min(stream.lastSeq, settings.toSeq ?? stream.lastSeq);
  if (settings.timeBasis === "server") {
    if (settings.fromTimeMs !== null) {
      const first = await seqAtTime(client, stream.name, settings.fromTimeMs, "first-at-or-after");
      fromSeq = Math.max(fromSeq, first ?? stream.lastSeq + 1);
    }
    if (settings.toTimeMs !== null) {
      const last = await seqAtTime(client, stream.name, settings.toTimeMs, "last-at-or-before");
      toSeq = Math.min(toSeq, last ?? stream.firstSeq - 1);
    }
  }
  if (fromSeq <= toSeq) return { fromSeq, toSeq };
  throw new UsageError(
    `Cannot replay ${settings.domain}: ${stream.name} holds nothing in the requested range (it has sequences ${stream.firstSeq} to ${stream.lastSeq}). ` +
      "Ask for another range.",
  );
}
