import { type DecodedEvent, type DomainCodec, isMalformed, type MalformedEvent } from "@cim-replay/core";

/**
 * One codec for each of several folds over the same messages: each message is decoded once, by whoever asks first. Every fold
 * gets an event of its own, because a projection may keep pieces of a payload in its state and change them there: no other
 * must see that.
 */
export function shareDecoding(codec: DomainCodec, folds: number): DomainCodec[] {
  let seq = 0;
  let events: (DecodedEvent | MalformedEvent | null)[] = [];
  const decodeFor = (at: number): DomainCodec["decode"] =>
    function decode(message, routeKey) {
      if (message.seq !== seq) {
        const first = codec.decode(message, routeKey);
        // Made before anybody folds: what comes later might be changed already.
        events = Array.from({ length: folds }, (_, i) => (i === at || isMalformed(first) ? first : codec.copy(first)));
        seq = message.seq;
      }
      const own = events[at] ?? codec.decode(message, routeKey);
      events[at] = null;
      return own;
    };
  return Array.from({ length: folds }, (_, at) => ({ ...codec, decode: decodeFor(at) }));
}
