import type { Msg } from "nats";
import { expect, test } from "vitest";
import { DeliveredMessage, sequenceOffset } from "./reader-message.ts";

const FORMS = [
  "$JS.ACK.EVENTS.reader.1.4711.42.1757901548123456789.99",
  "$JS.ACK.hub.AX7ZQ.EVENTS.reader.1.4711.42.1757901548123456789.99",
  "$JS.ACK._.AX7ZQ.EVENTS.reader.1.4711.42.1757901548123456789.99.r4nd0m",
];

test.each(FORMS)("the stream sequence and the time are found in %s", (reply) => {
  const bytes = new TextEncoder().encode(reply);
  expect(reply.slice(sequenceOffset(bytes)).split(".").slice(0, 2)).toEqual(["4711", "42"]);
  // Only what the class reads: no message of the client's can be made without a server.
  const message = new DeliveredMessage(4711, { reply } as Msg);
  expect(message.receivedAtMs).toBe(1757901548123);
  expect(message.receivedAtNs).toBe(1757901548123456789n);
});

test("a reply subject that is no acknowledgement has no sequence and no time", () => {
  expect(sequenceOffset(new TextEncoder().encode("_INBOX.abc.1"))).toBe(-1);
  const message = new DeliveredMessage(1, { reply: "_INBOX.abc.1" } as Msg);
  expect([message.receivedAtMs, message.receivedAtNs]).toEqual([0, 0n]);
});
