import { createHash } from "node:crypto";
import {
  canonicalJson,
  canonicalType,
  type DecodedEvent,
  type EventFilter,
  type PinnedFilter,
  type StreamMessage,
  UsageError,
} from "@cim-replay/core";
import { compileCondition, judgeEvent } from "./condition.ts";
import { subjectMatcher } from "./subject-pattern.ts";

/** "undecided": the condition cannot be evaluated on it, and the event is left out. */
export type FilterVerdict = "taken" | "left" | "undecided";

/**
 * A filter made ready. Times and domains are not its job: a run has them in its settings. Pure: the same event always
 * gets the same verdict.
 */
export interface CompiledFilter {
  judge(message: StreamMessage, event: DecodedEvent): FilterVerdict;
  /** Of an event that cannot be decoded: false only where what is known of it rules it out. */
  mayTake(message: StreamMessage, routeKey: string | null): boolean;
}

/** Throws UsageError where its condition is none. */
export function compileFilter(filter: EventFilter): CompiledFilter {
  const types = setOf(filter.event_types?.map(canonicalType));
  const ids = setOf(filter.aggregate_ids);
  const correlations = setOf(filter.correlation_ids);
  const subjects = filter.subjects?.map(subjectMatcher) ?? null;
  const { sequences } = filter;
  const condition = filter.condition === null ? null : conditionOf(filter.condition);
  const isThere = ({ seq, subject }: StreamMessage): boolean =>
    (sequences === null || sequences.some(({ fromSeq, toSeq }) => seq >= fromSeq && seq <= toSeq)) &&
    (subjects === null || subjects.some((matches) => matches(subject)));
  return {
    judge(message, event) {
      if (types !== null && !types.has(canonicalType(event.type))) return "left";
      if (ids !== null && !ids.has(event.aggregateId)) return "left";
      if (correlations !== null && !correlations.has(event.correlationId ?? "")) return "left";
      if (!isThere(message)) return "left";
      if (condition === null) return "taken";
      const verdict = judgeEvent(condition, message, event);
      if (verdict === null) return "undecided";
      return verdict ? "taken" : "left";
    },
    mayTake: (message, routeKey) => isThere(message) && (ids === null || routeKey === null || ids.has(routeKey)),
  };
}

export function pinFilter(filter: EventFilter): PinnedFilter {
  return { filter, sha256: filterSha256(filter) };
}

export function filterSha256(filter: EventFilter): string {
  return createHash("sha256").update(canonicalJson(filter)).digest("hex");
}

function setOf(names: readonly string[] | null | undefined): ReadonlySet<string> | null {
  return names ? new Set(names) : null;
}

function conditionOf(text: string) {
  const condition = compileCondition(text);
  if (typeof condition === "function") return condition;
  throw new UsageError(
    `Cannot use condition ${text}: ${condition.message}, at character ${condition.offset + 1}. See docs/selective-replay.md.`,
  );
}
