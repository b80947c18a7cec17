import type { DomainCodec, Plan } from "@cim-replay/core";

/**
 * Microseconds a message, client and server: an unfiltered read; one filter with wildcards, which costs 20 over few
 * subjects and several times that over many; several filters.
 */
const UNFILTERED_MICROS = 7;
const ONE_FILTER_MICROS = 100;
const SEVERAL_FILTERS_MICROS = 700;

/** Whether the server filters or the worker does: server-side filters only pay where few of the messages match. */
export function chooseRead(options: {
  codec: DomainCodec;
  /** Filters that cover exactly what is wanted. */
  subjects: readonly string[];
  /** Messages in the range, and how many of them are wanted, at most. */
  messages: number;
  events: number;
}): Plan["read"] {
  const { subjects, messages, events } = options;
  const perMatch = subjects.length === 1 ? ONE_FILTER_MICROS : SEVERAL_FILTERS_MICROS;
  const filtered = (events * perMatch) / 1e6;
  const unfiltered = (messages * UNFILTERED_MICROS) / 1e6;
  if (subjects.length > 0 && filtered < unfiltered) {
    return {
      filterSubjects: [...subjects],
      messages: events,
      reason: `the server filters ${subjects.join(", ")}: ${events} of ${messages} messages match`,
    };
  }
  return {
    filterSubjects: [],
    messages,
    reason: `unfiltered, routed by the worker: ${events} of ${messages} messages are wanted, a server-side filter would be slower`,
  };
}
