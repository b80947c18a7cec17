import fc from "fast-check";
import { pack } from "msgpackr";
import { describe, expect, it } from "vitest";
import type { DecodedEvent } from "../event.ts";
import { type DomainSettings, domainSettingsSchema, ENVELOPE_NAMES } from "../settings.ts";
import { compileDomain } from "./domain-codec.ts";
import { isMalformed } from "./malformed.ts";

const RECEIVED_MS = Date.parse("2024-06-01T00:00:00.000Z");

interface Given {
  settings?: Partial<DomainSettings>;
  subject?: string;
  headers?: Record<string, string>;
  data: Uint8Array | object;
}

function decodeOrRefuse({
  settings,
  subject = "events.graph.g-1.NodeAdded",
  headers,
  data,
}: Given): DecodedEvent | string {
  const codec = compileDomain("graph", domainSettingsSchema.parse(settings ?? {}));
  const bytes = data instanceof Uint8Array ? data : new TextEncoder().encode(JSON.stringify(data));
  const message = { seq: 1, subject, receivedAtMs: RECEIVED_MS, data: bytes, headers };
  const event = codec.decode(message, codec.route(subject) ?? null);
  return isMalformed(event) ? event.reason : event;
}

function decode(given: Given): DecodedEvent {
  const event = decodeOrRefuse(given);
  if (typeof event === "string") throw new Error(event);
  return event;
}

const NO_IDS = { settings: { subject: "cim.{domain}.>" }, subject: "cim.graph.x" };

describe("a domain's codec", () => {
  it("reads the default shape without settings", () => {
    const codec = compileDomain("graph", domainSettingsSchema.parse({}));
    expect(codec.subjects).toEqual(["events.graph.>"]);
    expect(codec.idInSubject).toBe(true);
    expect(codec.aggregateSubjects("g-1")).toEqual(["events.graph.g-1", "events.graph.g-1.>"]);
    expect(codec.route("events.graph.g-1.NodeAdded")).toBe("g-1");
    expect(codec.route("events.person.p-1.PersonCreated")).toBeUndefined();
  });

  it("lets the envelope's id and type win over the subject's", () => {
    expect(decode({ data: { aggregate_id: "Case 1", event_type: "Assign, then wait", payload: {} } })).toMatchObject({
      aggregateId: "Case 1",
      type: "Assign, then wait",
    });
    expect(decode({ data: { payload: {} } })).toMatchObject({ aggregateId: "g-1", type: "NodeAdded" });
  });

  it("asks envelope, then headers for an id that the subject does not hold", () => {
    const headers = { "x-aggregate-id": "from-header", "X-Event-Type": "T" };
    expect(decode({ ...NO_IDS, headers, data: { aggregate_id: "own", payload: {} } }).aggregateId).toBe("own");
    expect(decode({ ...NO_IDS, headers, data: { payload: {} } }).aggregateId).toBe("from-header");
    expect(decodeOrRefuse({ ...NO_IDS, data: { event_type: "T", payload: {} } })).toMatch(/no aggregate id/);
  });

  it("takes the aggregate's type from the subject where nothing else says it", () => {
    const settings = { subject: "events.{aggregate_type}.{event_type}" };
    const data = { aggregate_id: "g-1", payload: {} };
    expect(decode({ settings, subject: "events.Graph.NodeAdded", data })).toMatchObject({ aggregateType: "Graph" });
  });

  it("reads each header family, names in any case", () => {
    const bare = {
      settings: { envelope: "bare", subject: "cim.{domain}.>" } as const,
      subject: "cim.graph.x",
      data: {},
    };
    const long = {
      "x-correlation-id": "c",
      "X-CAUSATION-ID": "k",
      "X-Message-Id": "m",
      "x-Event-Type": "T",
      "X-Aggregate-ID": "a",
      "X-Sequence": "12",
      "X-Timestamp": "1705320000",
      "x-cid": "cid-2",
      "X-Parent-Cid": "cid-1",
      "nats-msg-id": "not this",
    };
    const event = decode({ ...bare, headers: long });
    expect(event).toMatchObject({ correlationId: "c", causationId: "k", eventId: "m", type: "T", aggregateId: "a" });
    expect(event).toMatchObject({
      sequence: 12,
      timestamp: "2024-01-15T12:00:00.000Z",
      cid: "cid-2",
      previousCid: "cid-1",
    });
    const cim = {
      "cim-correlation-id": "c",
      "CIM-CAUSATION-ID": "k",
      "Cim-Event-Type": "T",
      "CIM-Aggregate-Id": "a",
      "CIM-Aggregate-Type": "Graph",
      "CIM-Timestamp": "2024-01-15T12:00:00+01:00",
      "Nats-Msg-Id": "m",
    };
    const other = decode({ ...bare, headers: cim });
    expect(other).toMatchObject({ correlationId: "c", causationId: "k", eventId: "m", type: "T", aggregateId: "a" });
    expect(other).toMatchObject({ aggregateType: "Graph", timestamp: "2024-01-15T12:00:00+01:00" });
    expect(other.headers).toBe(cim);
    const short = { "Event-Type": "T", "AGGREGATE-ID": "a" };
    expect(decode({ ...bare, headers: short })).toMatchObject({ type: "T", aggregateId: "a", eventId: null });
  });

  it("prefers what the envelope says to headers, and ignores headers that are empty or no number", () => {
    const headers = {
      "X-Message-ID": "h",
      "X-Correlation-ID": "h",
      "X-Timestamp": "1",
      "X-Sequence": "x",
      "X-CID": "",
    };
    const data = { event_id: "e", correlation_id: "c", payload: {}, timestamp: "2024-01-15T12:00:00Z" };
    const event = decode({ headers, data });
    expect(event).toMatchObject({
      eventId: "e",
      correlationId: "c",
      timestamp: data.timestamp,
      sequence: null,
      cid: null,
    });
  });

  it("does not take infrastructure's event_id for the event's", () => {
    const settings = { envelope: "infrastructure" } as const;
    const data = { event_id: "g-1", aggregate_id: "g-1", event_type: "T", data: {} };
    expect(decode({ settings, data }).eventId).toBeNull();
    expect(decode({ settings, data, headers: { "Nats-Msg-Id": "m" } }).eventId).toBe("m");
  });

  it("takes the time of receipt where nothing says another", () => {
    expect(decode({ data: { payload: {} } })).toMatchObject({
      timestamp: "2024-06-01T00:00:00.000Z",
      timestampMs: RECEIVED_MS,
    });
  });

  it("refuses a time that cannot be read, rather than cut at a wrong one", () => {
    expect(decodeOrRefuse({ data: { payload: {}, timestamp: "next\nTuesday" } })).toBe(
      'its time is none that can be read: "next\\u000aTuesday"',
    );
    expect(decodeOrRefuse({ data: { payload: {} }, headers: { "X-Timestamp": "soon" } })).toBe(
      'its time is none that can be read: "soon"',
    );
  });

  it("refuses an id that no entry's key can be made of", () => {
    const refuse = (aggregate_id: string) => decodeOrRefuse({ data: { aggregate_id, payload: {} } });
    expect(refuse("half\ud800")).toMatch(/aggregate id has no key/);
    expect(refuse("x".repeat(1024 * 1024))).toMatch(/aggregate id has no key/);
    expect(refuse("x".repeat(1_000))).not.toEqual(expect.any(String));
  });

  it("gives empty headers and metadata without a prototype where there are none", () => {
    const event = decode({ data: { payload: {} } });
    for (const empty of [event.headers, event.metadata]) {
      expect(Object.keys(empty)).toEqual([]);
      expect(Object.getPrototypeOf(empty)).toBeNull();
    }
  });

  it("decodes msgpack as it does JSON", () => {
    const body = {
      event_id: "e",
      aggregate_id: "a",
      event_type: "T",
      sequence: 1,
      payload: { x: [1, "Größe"] },
      timestamp: 1705320000,
    };
    expect({ ...decode({ data: pack(body) }) }).toEqual({ ...decode({ data: body }) });
  });

  it("is not misled by a payload that says it is malformed", () => {
    expect(decode({ data: { malformed: true, reason: "x", payload: { malformed: true } } }).payload).toEqual({
      malformed: true,
    });
  });

  it("gives any JSON back as it was put into a flat envelope", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string({ minLength: 1, maxLength: 50 }), (payload, id) => {
        const expected: unknown = JSON.parse(JSON.stringify(payload));
        const event = decode({ data: { aggregate_id: id, event_type: "made.by.chance", payload } });
        expect(event.payload).toEqual(expected);
        expect(event.aggregateId).toBe(id);
      }),
    );
  });

  it("never throws and never changes a prototype, whatever JSON or bytes come in whatever form", () => {
    const before = Reflect.ownKeys(Object.prototype);
    const names = [
      "event",
      "payload",
      "stored_event",
      "event_with_cid",
      "event_data",
      "data",
      "header",
      "content",
      "cid",
    ];
    names.push(
      "aggregate_id",
      "event_type",
      "metadata",
      "timestamp",
      "kind",
      "value",
      "__proto__",
      "constructor",
      "Tag",
    );
    const bodies = fc.letrec((tie) => ({
      node: fc.oneof(
        { depthSize: "small" },
        fc.constantFrom<unknown>(null, true, "", "Left", "Right", "x", 0, -1, 1e300),
        fc.array(tie("node"), { maxLength: 3 }),
        fc
          .array(fc.tuple(fc.constantFrom(...names), tie("node")), { maxLength: 4 })
          .map((pairs) => Object.fromEntries(pairs)),
      ),
    })).node;
    const data = fc.oneof(
      bodies.map((body) => new TextEncoder().encode(JSON.stringify(body))),
      bodies.map((body) => new Uint8Array(pack(body))),
      fc.uint8Array({ maxLength: 64 }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...ENVELOPE_NAMES), data, (envelope, bytes) => {
        const event = decodeOrRefuse({ settings: { envelope }, data: bytes });
        if (typeof event === "string") expect(event).not.toMatch(/\p{Cc}/u);
        else expect(typeof event.aggregateId).toBe("string");
        expect(Reflect.ownKeys(Object.prototype)).toEqual(before);
      }),
      { numRuns: 2_000 },
    );
  });
});
