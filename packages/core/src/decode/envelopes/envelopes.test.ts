import { describe, expect, it } from "vitest";
import type { DecodedEvent } from "../../event.ts";
import type { DomainSettings } from "../../settings.ts";
import { compileDomain } from "../domain-codec.ts";
import { isMalformed } from "../malformed.ts";

type EnvelopeName = DomainSettings["envelope"];

const RECEIVED = "2024-06-01T00:00:00.000Z";

function decodeOrRefuse(
  envelope: EnvelopeName,
  body: unknown,
  subject = "events.graph.g-1.Something",
): DecodedEvent | string {
  const template = "events.{domain}.{aggregate_id}.{event_type}";
  const codec = compileDomain("graph", { stream: "EVENTS", subject: template, envelope });
  const data = new TextEncoder().encode(JSON.stringify(body));
  const message = { seq: 7, subject, receivedAtMs: Date.parse(RECEIVED), data, headers: undefined };
  const event = codec.decode(message, codec.route(subject) ?? null);
  return isMalformed(event) ? event.reason : event;
}

function decode(envelope: EnvelopeName, body: unknown, subject?: string): DecodedEvent {
  const event = decodeOrRefuse(envelope, body, subject);
  if (typeof event === "string") throw new Error(event);
  return event;
}

const TIME = "2024-01-15T14:30:00.123456Z";
const NODE = { graph_id: "g-9", node_id: "n-1" };
/** What every form below says, and what those say that have no sequence, time or ids of their own. */
const SAID = { type: "NodeAdded", payload: NODE, aggregateId: "g-9", domain: "graph", streamSequence: 7 };
const IDS = { eventId: "e-1", correlationId: "c-1", causationId: "k-1" };

const SAMPLES: Record<
  Exclude<EnvelopeName, "auto" | "bare">,
  { body: object; event: object; cids?: [string, string | null] }
> = {
  flat: {
    body: {
      event_id: "e-1",
      aggregate_id: "g-9",
      aggregate_type: "Graph",
      sequence: 3,
      event_type: "NodeAdded",
      payload: NODE,
      timestamp: TIME,
      correlation_id: "c-1",
      causation_id: "k-1",
      event_cid: "cid-2",
      previous_cid: "cid-1",
      actor: null,
      metadata: { a: 1 },
    },
    event: { ...SAID, ...IDS, aggregateType: "Graph", sequence: 3, timestamp: TIME, metadata: { a: 1 } },
    cids: ["cid-2", "cid-1"],
  },
  stored: {
    body: {
      stored_event: {
        event_id: "e-1",
        aggregate_id: { id: "g-9", _phantom: null },
        aggregate_type: "Graph",
        sequence: 3,
        event: { NodeAdded: NODE },
        metadata: { correlation_id: "c-1", causation_id: "k-1", triggered_by: null, custom: { a: 1 } },
        stored_at: TIME,
      },
      event_with_cid: { event: { NodeAdded: NODE }, cid: { "/": "cid-2" }, previous_cid: null },
    },
    event: { ...SAID, ...IDS, aggregateType: "Graph", sequence: 3, timestamp: TIME },
    cids: ["cid-2", null],
  },
  either: {
    body: {
      event_id: "e-1",
      aggregate_id: "g-9",
      correlation_id: { kind: "Single", value: "c-1" },
      causation_id: "k-1",
      payload_metadata: { source: "s", version: "1", properties: {}, payload_type: "NodeAdded" },
      payload: { kind: "Right", value: NODE },
    },
    event: { ...SAID, ...IDS, aggregateType: null, sequence: null, timestamp: RECEIVED },
  },
  person: {
    body: {
      aggregate_id: "g-9",
      sequence: 3,
      event: { type: "NodeAdded", ...NODE },
      timestamp: TIME,
      correlation_id: "c-1",
      causation_id: "k-1",
    },
    event: { ...SAID, ...IDS, eventId: null, payload: { type: "NodeAdded", ...NODE }, sequence: 3, timestamp: TIME },
  },
  infrastructure: {
    body: {
      event_id: "g-9",
      aggregate_id: "g-9",
      sequence: 3,
      timestamp: { secs_since_epoch: 1705329000, nanos_since_epoch: 5_000_000 },
      correlation_id: "c-1",
      causation_id: "k-1",
      event_type: "NodeAdded",
      data: NODE,
      metadata: {},
    },
    event: { ...SAID, ...IDS, eventId: null, sequence: 3, timestamp: "2024-01-15T14:30:00.005Z" },
  },
  "cim-events": {
    body: {
      sequence: 3,
      aggregate_id: "g-9",
      event_type: "NodeAdded",
      event_data: NODE,
      header: { message_id: "e-1", correlation_id: "c-1", causation_id: "k-1", timestamp: 1705329000 },
      cid: "cid-2",
      parent_cid: "cid-1",
      timestamp: TIME,
    },
    event: { ...SAID, ...IDS, sequence: 3, timestamp: TIME },
    cids: ["cid-2", "cid-1"],
  },
  "cim-graph": {
    body: {
      event: {
        event_id: "e-1",
        aggregate_id: "g-9",
        correlation_id: "c-1",
        causation_id: "k-1",
        payload: { Context: { NodeAdded: NODE } },
      },
      cid: "cid-2",
      sequence: 0,
      headers: { a: 1 },
    },
    event: { ...SAID, ...IDS, aggregateType: "Context", sequence: null, timestamp: RECEIVED, metadata: { a: 1 } },
    cids: ["cid-2", null],
  },
};

describe("an envelope", () => {
  for (const [name, { body, event, cids }] of Object.entries(SAMPLES)) {
    it(`of the form ${name} gives the event, by its name and by auto`, () => {
      for (const envelope of [name as EnvelopeName, "auto"] as const) {
        const decoded = decode(envelope, body);
        expect({ ...decoded }).toMatchObject(event);
        expect([decoded.cid, decoded.previousCid]).toEqual(cids ?? [null, null]);
        expect(decoded.timestampMs).toBe(Date.parse(decoded.timestamp));
      }
    });
  }

  it("gives an event's own properties as they are documented, and nothing more", () => {
    expect(Object.keys(decode("flat", SAMPLES.flat.body)).sort()).toEqual(
      ["aggregateId", "aggregateType", "causationId", "correlationId", "domain", "eventId", "metadata"].concat([
        "payload",
        "sequence",
        "streamSequence",
        "timestamp",
        "type",
      ]),
    );
  });

  it("is refused with its form's name where the body is of another", () => {
    for (const name of ["stored", "either", "person", "infrastructure", "cim-events", "cim-graph"] as const) {
      expect(decodeOrRefuse(name, { a: 1 })).toMatch(new RegExp(`^the payload is no ${name} envelope: `));
    }
  });

  it("that is bare leaves all but the body to subject and message", () => {
    for (const envelope of ["bare", "auto", "flat"] as const) {
      const event = decode(envelope, { name: "Here", type: "Physical" }, "events.graph.g-1.LocationDefined");
      expect({ ...event }).toMatchObject({
        type: "LocationDefined",
        payload: { name: "Here", type: "Physical" },
        aggregateId: "g-1",
        timestamp: RECEIVED,
        sequence: null,
        eventId: null,
      });
    }
  });

  it("that is bare takes its type from a tag, or where nothing else names it from a field type", () => {
    expect(decode("bare", { NodeAdded: NODE })).toMatchObject({ type: "NodeAdded", payload: NODE });
    expect(decode("bare", { type: "NodeAdded", ...NODE }, "events.graph.g-1").type).toBe("NodeAdded");
    expect(decodeOrRefuse("bare", NODE, "events.graph.g-1")).toMatch(/no event type/);
  });

  it("that is bare may hold the domain's id where the subject holds none", () => {
    const codec = compileDomain("graph", { stream: "EVENTS", subject: "graphs.{event_type}", envelope: "bare" });
    const data = new TextEncoder().encode(JSON.stringify(NODE));
    const message = { seq: 1, subject: "graphs.node.added.v1", receivedAtMs: 0, data, headers: undefined };
    expect(codec.decode(message, null)).toMatchObject({ aggregateId: "g-9", type: "node.added.v1" });
  });

  it("of a dialog is found by auto, with its chain of content ids", () => {
    const content = { event_id: "e-1", parent_cid: "cid-1", timestamp: 1757901549, type: "user", user_said: "hello" };
    const event = decode("auto", { conversation_id: "d-1", cid: "cid-2", content });
    expect({ ...event }).toMatchObject({ aggregateId: "d-1", type: "user", payload: content, eventId: "e-1" });
    expect([event.cid, event.previousCid]).toEqual(["cid-2", "cid-1"]);
    expect(event.timestamp).toBe("2025-09-15T01:59:09.000Z");
    for (const envelope of ["bare", "flat", "auto"] as const) {
      const alone = decode(envelope, content, "events.graph.d-1.user");
      expect(alone).toMatchObject({ eventId: "e-1", previousCid: "cid-1", payload: content, type: "user" });
      expect(alone.timestampMs).toBe(1757901549000);
    }
  });

  it("of cim-graph's kind may come without what is around its event", () => {
    const { event } = SAMPLES["cim-graph"].body as { event: object };
    for (const envelope of ["cim-graph", "auto"] as const) {
      expect(decode(envelope, event)).toMatchObject({
        ...IDS,
        type: "NodeAdded",
        payload: NODE,
        aggregateType: "Context",
      });
    }
  });

  it("of the either form gives a body kept elsewhere as its content id", () => {
    const body = { ...SAMPLES.either.body, payload: { kind: "Left", value: "bafy1" } };
    expect(decode("either", body)).toMatchObject({ type: "NodeAdded", payload: { cid: "bafy1" } });
  });

  it("takes a variant's tag off the body, but not a field that looks like one", () => {
    const flat = (fields: object) => decode("flat", { aggregate_id: "g-9", ...fields });
    expect(flat({ payload: { NodeAdded: NODE } })).toMatchObject({ type: "NodeAdded", payload: NODE });
    expect(flat({ payload: "GraphArchived" })).toMatchObject({ type: "GraphArchived", payload: {} });
    expect(flat({ event_type: "node_added", payload: { NodeAdded: NODE } })).toMatchObject({
      type: "node_added",
      payload: NODE,
    });
    expect(flat({ event_type: "Renamed", payload: { Name: "x" } })).toMatchObject({
      type: "Renamed",
      payload: { Name: "x" },
    });
  });

  it("reads ids in each form and none from what is no id", () => {
    const idOf = (id: unknown) => decode("flat", { event_type: "T", payload: {}, aggregate_id: id }).aggregateId;
    expect(idOf("a b.c")).toBe("a b.c");
    expect(idOf({ id: "g-9" })).toBe("g-9");
    expect(idOf({ id: { id: "g-9" } })).toBe("g-9");
    expect(idOf(42)).toBe("42");
    for (const none of ["", null, [], {}, true, { id: null }]) expect(idOf(none)).toBe("g-1");
  });

  it("decodes the same by auto whatever was decoded before", () => {
    const bodies = Object.values(SAMPLES).map((sample) => sample.body);
    const alone = bodies.map((body) => ({ ...decode("auto", body) }));
    const codec = compileDomain("graph", { stream: "EVENTS", subject: "x.{aggregate_id}", envelope: "auto" });
    for (let shift = 0; shift < bodies.length; shift++) {
      const order = bodies.map((_, i) => (i * 3 + shift) % bodies.length);
      for (const i of order) {
        const data = new TextEncoder().encode(JSON.stringify(bodies[i]));
        const message = { seq: 7, subject: "x.g-1", receivedAtMs: Date.parse(RECEIVED), data, headers: undefined };
        expect({ ...codec.decode(message, "g-1") }).toEqual(alone[i]);
      }
    }
  });
});
