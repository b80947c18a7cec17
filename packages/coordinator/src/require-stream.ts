import { UsageError } from "@cim-replay/core";
import { findStreamsFor, type NatsClient, type StreamFacts, streamFacts } from "@cim-replay/nats";

/** The stream's facts; where it is not there, a UsageError that names the streams that might be meant. */
export async function requireStream(
  client: NatsClient,
  name: string,
  subjects: readonly string[],
): Promise<StreamFacts> {
  const facts = await streamFacts(client, name);
  if (facts) return facts;
  const others = await findStreamsFor(client, subjects);
  const hint =
    others.length > 0
      ? `Streams with such subjects: ${others.join(", ")}; set domains.<domain>.stream in cim-replay.yaml.`
      : `No stream holds ${subjects.join(" or ")}; check domains.<domain>.stream and .subject in cim-replay.yaml, and NATS_URL.`;
  throw new UsageError(`Cannot read stream ${name}: there is none of that name. ${hint}`);
}
