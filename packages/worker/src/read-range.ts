import type { Plan, SequenceRange, StreamMessage } from "@cim-replay/core";
import { type ReadOptions, readStream } from "@cim-replay/nats";
import type { AttemptContext } from "./unit-context.ts";

const NO_PROGRESS_MS = 5_000;
/** The server cuts off a client past 64 MB pending; half of that at most is ever asked for. */
const MAX_IN_FLIGHT_BYTES = 32 * 1024 * 1024;

/** Reads a range of the planned stream, as far ahead as the run's settings and rates allow. */
export function readRange(
  context: AttemptContext,
  range: SequenceRange,
  filterSubjects: Plan["read"]["filterSubjects"],
): AsyncIterable<readonly StreamMessage[]> {
  const { client, plan, pace, signal, gauge, log, maxMessageBytes } = context;
  const { settings } = context.run;
  const options: ReadOptions = {
    stream: plan.stream.name,
    created: plan.stream.created,
    range,
    filterSubjects,
    maxMessages: pace.windowMessages(Math.min(settings.prefetch, settings.bufferSize)),
    maxBytes: pace.windowBytes(
      Math.min(MAX_IN_FLIGHT_BYTES, (settings.memoryLimitBytes ?? Number.POSITIVE_INFINITY) / 8),
      2 * maxMessageBytes,
    ),
    noProgressMs: NO_PROGRESS_MS,
    signal,
    gauge,
    parser: settings.reader,
    onLibrary: (why) => log.warn({}, `read with the client library's parser, which is slower: ${why}`),
    onRecovered: (what) => {
      context.recoveries += 1;
      log.warn({}, what);
    },
  };
  const thread = context.readThread();
  log.info({ ...range, ownThread: thread !== null }, "reads the stream");
  return thread ? thread.read(options) : readStream(client, options);
}
