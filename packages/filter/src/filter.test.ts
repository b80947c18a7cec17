import { type DecodedEvent, EVERY_EVENT, type EventFilter, type StreamMessage } from "@cim-replay/core";
import { describe, expect, test } from "vitest";
import { compileFilter, filterSha256 } from "./compile-filter.ts";
import { parseFilter } from "./parse-filter.ts";
import { subjectMatcher } from "./subject-pattern.ts";

const message: StreamMessage = {
  ...{ seq: 7, subject: "events.graph.a.NodeAdded", receivedAtMs: 0, data: new Uint8Array(), headers: undefined },
};

function eventOf(changes: Partial<DecodedEvent> = {}): DecodedEvent {
  return {
    ...{ type: "NodeAdded", payload: { weight: 3 }, aggregateId: "a", aggregateType: null, domain: "graph" },
    ...{ timestamp: "2026-01-01T00:00:00Z", timestampMs: Date.UTC(2026, 0), sequence: 2, streamSequence: 7 },
    ...{
      eventId: null,
      correlationId: "c1",
      causationId: null,
      metadata: {},
      headers: {},
      cid: null,
      previousCid: null,
    },
    ...changes,
  };
}

const judge = (filter: Partial<EventFilter>, event: Partial<DecodedEvent> = {}) =>
  compileFilter({ ...EVERY_EVENT, ...filter }).judge(message, eventOf(event));

describe("a filter", () => {
  test("finds a type in every spelling and by every alias", () => {
    for (const type of ["NodeCreated", "node_added", "nodecreated"]) {
      expect(judge({ event_types: ["NodeAdded"] }, { type })).toBe("taken");
      expect(judge({ event_types: [type] })).toBe("taken");
    }
    expect(judge({ event_types: ["EdgeCreated"] }, { type: "NodesConnected" })).toBe("taken");
    expect(judge({ event_types: ["EdgeCreated"] })).toBe("left");
  });

  test("takes what every criterion takes, and nothing else", () => {
    const all = { aggregate_ids: ["b", "a"], correlation_ids: ["c1"], subjects: ["events.*.a.>"] };
    expect(judge({ ...all, sequences: [{ fromSeq: 7, toSeq: 7 }] })).toBe("taken");
    expect(judge({ ...all, sequences: [{ fromSeq: 8, toSeq: 9 }] })).toBe("left");
    expect(judge(all, { aggregateId: "c" })).toBe("left");
    expect(judge(all, { correlationId: null })).toBe("left");
    expect(judge({ ...all, subjects: ["events.person.>"] })).toBe("left");
  });

  test("asks its condition of the event, and leaves out what the condition cannot judge", () => {
    expect(judge({ condition: "event.payload.weight > 2 && event.stream_sequence == 7" })).toBe("taken");
    expect(judge({ condition: "event.payload.weight > 3" })).toBe("left");
    expect(judge({ condition: "event.payload.wait > 3" })).toBe("undecided");
    expect(judge({ condition: 'event.timestamp < timestamp("2026-01-01T00:00:01Z")' })).toBe("taken");
    expect(judge({ condition: 'event.correlation_id == "c1" && event.type.startsWith("Node")' })).toBe("taken");
    expect(() => judge({ condition: "event.tpye == 1" })).toThrow(/tpye/);
  });

  test("is ruled out for an event that cannot be decoded by what is known of it alone", () => {
    const filter = compileFilter({ ...EVERY_EVENT, event_types: ["X"], aggregate_ids: ["a"], subjects: ["events.>"] });
    expect(filter.mayTake(message, "a")).toBe(true);
    expect(filter.mayTake(message, null)).toBe(true);
    expect(filter.mayTake(message, "b")).toBe(false);
    expect(filter.mayTake({ ...message, subject: "other" }, "a")).toBe(false);
  });

  test("has a digest of what it says, not of how it was written", () => {
    const json = parseFilter('{"event_types": ["A"], "sequences": [3, "5-6"]}', "f.json");
    const yaml = parseFilter("sequences: [3-3, {from: 5, to: 6}]\nevent_types: [A]\n", "f.yaml");
    expect(filterSha256(json)).toBe(filterSha256(yaml));
    expect(filterSha256(json)).not.toBe(filterSha256({ ...json, event_types: ["B"] }));
  });
});

describe("a subject", () => {
  test.each([
    ["events.graph.a", "events.graph.a", true],
    ["events.*.a", "events.graph.a", true],
    ["events.>", "events.graph.a", true],
    ["events.graph.a.>", "events.graph.a", false],
    ["events.*", "events.graph.a", false],
    [">", "x", true],
  ])("%s on %s is %s", (pattern, subject, matches) => {
    expect(subjectMatcher(pattern)(subject)).toBe(matches);
  });
});

describe("a file", () => {
  const mistakes = (text: string): string => {
    try {
      parseFilter(text, "f.yaml");
    } catch (error) {
      return error instanceof Error ? error.message : "";
    }
    return "";
  };

  test("is the runbook's", () => {
    const text = `{
  "event_types": ["NodeAdded", "EdgeCreated"],
  "domains": ["graph", "workflow"],
  "time_range": {
    "start": "2024-01-15T00:00:00Z",
    "end": "2024-01-15T23:59:59Z"
  }
}`;
    expect(parseFilter(text, "replay-filter.json")).toEqual({
      ...EVERY_EVENT,
      event_types: ["NodeAdded", "EdgeCreated"],
      domains: ["graph", "workflow"],
      time_range: { startMs: Date.UTC(2024, 0, 15), endMs: Date.UTC(2024, 0, 15, 23, 59, 59) },
    });
  });

  test("with mistakes is told all of them, each with its place", () => {
    const told = mistakes(`event_type: [NodeAdded]
domains: []
time_range: {start: yesterday, ende: 2026-01-01}
subjects: [events.*x, "a..b"]
sequences: [0, 9-3]
condition: event.tpye == "x"
`);
    expect(told).toContain("there are 9 mistakes");
    expect(told).toMatch(/^f\.yaml:1:1 event_type: there is no such key here/m);
    expect(told).toMatch(/^f\.yaml:2:\d+ domains: names nothing/m);
    expect(told).toMatch(/^f\.yaml:3:\d+ time_range\.start: "yesterday": it is no time/m);
    expect(told).toMatch(/^f\.yaml:3:\d+ ende: there is no such key here, only start, end\.$/m);
    expect(told).toMatch(/^f\.yaml:4:\d+ subjects\.0: "events\.\*x" is no subject/m);
    expect(told).toMatch(/^f\.yaml:4:\d+ subjects\.1: "a\.\.b" is no subject: it has an empty token/m);
    expect(told).toMatch(/^f\.yaml:5:\d+ sequences\.0: /m);
    expect(told).toMatch(/^f\.yaml:5:\d+ sequences\.1: ends before it begins/m);
    expect(told).toMatch(/^f\.yaml:6:\d+ condition: .*tpye/m);
  });

  test.each(["", "{}", "- 1", "a: [", "time_range: {}", "time_range: {start: 2026-01-02, end: 2026-01-01}"])(
    "of %j is refused",
    (text) => {
      expect(mistakes(text)).toMatch(/^Cannot use the filter/);
    },
  );
});
