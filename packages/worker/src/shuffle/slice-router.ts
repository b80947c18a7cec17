import {
  type DomainCodec,
  isMalformed,
  type Plan,
  partitionRouter,
  partitionRouterOfBytes,
  type StreamMessage,
} from "@cim-replay/core";

/** No event of the domain. */
export const FOREIGN = -2;
/** Of the domain, and in none of the plan's partitions. */
export const ELSEWHERE = -1;
/** Takes the events that have no aggregate. */
const PARTITION_OF_NAMELESS = 0;

/**
 * Finds the partition of each message, FOREIGN or ELSEWHERE. By the subject's bytes where it can; what it finds is what the unit
 * that folds the message would.
 */
export function sliceRouter(codec: DomainCodec, plan: Plan): (message: StreamMessage) => number {
  const byText = partitionRouter(plan);
  const byBytes = partitionRouterOfBytes(plan);
  const slowly = (message: StreamMessage) => {
    const routeKey = codec.route(message.subject);
    if (routeKey === undefined) return FOREIGN;
    if (routeKey !== null) return byText(routeKey);
    // Where subjects hold no id, the event must be decoded before it is known whose it is.
    const event = codec.decode(message, null);
    return isMalformed(event) ? PARTITION_OF_NAMELESS : byText(event.aggregateId);
  };
  return (message) => {
    const { raw } = message;
    const place = raw && codec.locate(raw);
    return (place && byBytes(raw.bytes, place)) ?? slowly(message);
  };
}
