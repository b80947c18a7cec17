import type { DecodedEvent, StreamMessage } from "@cim-replay/core";
import { bareEnvironment, compileExpression, type Expression, type ExpressionMistake } from "./cel.ts";
import { celValue } from "./cel-value.ts";

/** What a condition calls `event`. Its parts are made when they are asked for: most conditions look at one or two. */
class CelEvent {
  readonly #message: StreamMessage;
  readonly #event: DecodedEvent;

  constructor(message: StreamMessage, event: DecodedEvent) {
    this.#message = message;
    this.#event = event;
  }

  get type(): string {
    return this.#event.type;
  }
  get payload(): unknown {
    return celValue(this.#event.payload);
  }
  get aggregate_id(): string {
    return this.#event.aggregateId;
  }
  get aggregate_type(): string | null {
    return this.#event.aggregateType;
  }
  get domain(): string {
    return this.#event.domain;
  }
  get timestamp(): Date {
    return new Date(this.#event.timestampMs);
  }
  get sequence(): unknown {
    return celValue(this.#event.sequence);
  }
  get stream_sequence(): bigint {
    return BigInt(this.#message.seq);
  }
  get subject(): string {
    return this.#message.subject;
  }
  get event_id(): string | null {
    return this.#event.eventId;
  }
  get correlation_id(): string | null {
    return this.#event.correlationId;
  }
  get causation_id(): string | null {
    return this.#event.causationId;
  }
  get metadata(): unknown {
    return celValue(this.#event.metadata);
  }
  get headers(): unknown {
    return celValue({ ...this.#event.headers });
  }
}

const environment = bareEnvironment()
  .registerType("Event", {
    ctor: CelEvent,
    fields: {
      ...{ type: "string", payload: "dyn", aggregate_id: "string", aggregate_type: "dyn", domain: "string" },
      ...{ timestamp: "google.protobuf.Timestamp", sequence: "dyn", stream_sequence: "int", subject: "string" },
      ...{ event_id: "dyn", correlation_id: "dyn", causation_id: "dyn", metadata: "dyn", headers: "dyn" },
    },
  })
  .registerVariable("event", "Event");

export function compileCondition(text: string): Expression | ExpressionMistake {
  return compileExpression(environment, text, "bool");
}

/** Null where it cannot be told, because a field is not there or is of another kind. */
export function judgeEvent(condition: Expression, message: StreamMessage, event: DecodedEvent): boolean | null {
  try {
    const verdict = condition({ event: new CelEvent(message, event) });
    return typeof verdict === "boolean" ? verdict : null;
  } catch {
    return null;
  }
}
