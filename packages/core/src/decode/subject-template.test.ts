import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { SubjectTemplate } from "./subject-template.ts";

function locate(template: SubjectTemplate, subject: string): string | undefined {
  const bytes = new TextEncoder().encode(`MSG ${subject} 7`);
  const place = template.locate({ bytes, subjectAt: 4, subjectEnd: bytes.length - 2 });
  return place && new TextDecoder().decode(bytes.subarray(place.at, place.end));
}

/** [where, template, domain, subject, aggregate id, event type, aggregate type, filters] */
const SHAPES: [string, string, string, string, string | null, string | null, string | null, string[]][] = [
  ["monitoring", "cim.{domain}.>", "graph", "cim.graph.node.added", null, null, null, ["cim.graph.>"]],
  [
    "setup guide, workflow, location, policy",
    "events.{domain}.{aggregate_id}.{event_type}",
    "location",
    "events.location.L1.LocationDefined",
    "L1",
    "LocationDefined",
    null,
    ["events.location.>"],
  ],
  [
    "event store (distributed)",
    "events.{aggregate_type}.{event_type}",
    "graph",
    "events.Graph.NodeAdded",
    null,
    "NodeAdded",
    "Graph",
    ["events.>"],
  ],
  [
    "event store (re-exported)",
    "events.{aggregate_id}.{event_type}",
    "graph",
    "events.g-1.NodeAdded",
    "g-1",
    "NodeAdded",
    null,
    ["events.>"],
  ],
  [
    "graph persistence",
    "graph.{aggregate_id}.{event_type}",
    "graph",
    "graph.g-1.node.added",
    "g-1",
    "node.added",
    null,
    ["graph.>"],
  ],
  ["domain-graph", "graphs.{event_type}", "graph", "graphs.node.added.v1", null, "node.added.v1", null, ["graphs.>"]],
  [
    "person, agent, organization",
    "{domain}.events.{aggregate_id}.{event_type}",
    "person",
    "person.events.p-1.PersonCreated",
    "p-1",
    "PersonCreated",
    null,
    ["person.events.>"],
  ],
  [
    "document",
    "events.{domain}.{aggregate_type}.{event_type}.{aggregate_id}",
    "document",
    "events.document.Document.Uploaded.d-1",
    "d-1",
    "Uploaded",
    "Document",
    ["events.document.*.*.*"],
  ],
  [
    "cim-graph",
    "local.cim.{aggregate_type}.{aggregate_id}",
    "workflow",
    "local.cim.workflow.w-1",
    "w-1",
    null,
    "workflow",
    ["local.cim.*.*"],
  ],
  [
    "infrastructure",
    "infrastructure.compute.{aggregate_id}.{event_type}",
    "infrastructure",
    "infrastructure.compute.vm-1.Registered",
    "vm-1",
    "Registered",
    null,
    ["infrastructure.compute.>"],
  ],
  [
    "cim-start",
    "*.domain.{domain}.{aggregate_type}.{event_type}.{aggregate_id}",
    "orders",
    "prod.domain.orders.Order.Placed.o-1",
    "o-1",
    "Placed",
    "Order",
    ["*.domain.orders.*.*.*"],
  ],
];

describe("a subject template", () => {
  for (const [where, template, domain, subject, id, type, aggregateType, filters] of SHAPES) {
    it(`reads the subjects of ${where}`, () => {
      const compiled = new SubjectTemplate(template, domain);
      expect(compiled.route(subject)).toBe(id);
      expect(compiled.eventType(subject)).toBe(type);
      expect(compiled.aggregateType(subject)).toBe(aggregateType);
      expect(compiled.filters()).toEqual(filters);
      expect(compiled.holdsIds).toBe(id !== null);
    });
  }

  it("matches an aggregate's subject with and without an event type", () => {
    const template = new SubjectTemplate("events.{domain}.{aggregate_id}.{event_type}", "graph");
    expect(template.route("events.graph.g-1")).toBe("g-1");
    expect(template.eventType("events.graph.g-1")).toBeNull();
    expect(template.route("events.graph.g-1.node.added")).toBe("g-1");
    expect(template.eventType("events.graph.g-1.node.added")).toBe("node.added");
  });

  it("matches no subject of another domain, of commands, or of another length", () => {
    const events = new SubjectTemplate("events.{domain}.{aggregate_id}.{event_type}", "graph");
    for (const subject of [
      "events.graph",
      "events.graphs.g-1.x",
      "events.person.p-1",
      "event.graph.g-1",
      "events.graph..x",
    ]) {
      expect(events.route(subject)).toBeUndefined();
    }
    const person = new SubjectTemplate("{domain}.events.{aggregate_id}.{event_type}", "person");
    expect(person.route("person.commands.p-1.CreatePerson")).toBeUndefined();
    const document = new SubjectTemplate("events.{domain}.{aggregate_type}.{event_type}.{aggregate_id}", "document");
    expect(document.route("events.document.Document.Uploaded")).toBeUndefined();
    expect(document.route("events.document.Document.Uploaded.d-1.more")).toBeUndefined();
    expect(new SubjectTemplate("cim.{domain}.>", "graph").route("cim.graph")).toBeUndefined();
    expect(new SubjectTemplate("helpdesk.{event_type}", "workflow").route("helpdesk")).toBeUndefined();
  });

  it("compares literal tokens that stand behind others whole", () => {
    const template = new SubjectTemplate("{aggregate_id}.events.{event_type}", "any");
    expect(template.route("a-1.events.Made")).toBe("a-1");
    expect(template.route("a-1.event.Made")).toBeUndefined();
    expect(template.route("a-1.eventsX.Made")).toBeUndefined();
    expect(new SubjectTemplate("audit.log", "any").route("audit.log")).toBeNull();
    expect(new SubjectTemplate("audit.log", "any").route("audit.logs")).toBeUndefined();
  });

  it("locates in the bytes of a subject the id that it reads from its text", () => {
    const token = fc.constantFrom("events", "graph", "g-1", "Größe", "", "cim", "event", "x");
    const subjects = fc.array(token, { minLength: 1, maxLength: 6 }).map((tokens) => tokens.join("."));
    const templates = fc.constantFrom(
      "events.{domain}.{aggregate_id}.{event_type}",
      "{aggregate_id}",
      "events.{aggregate_type}.*.{aggregate_id}",
      "{domain}.events.{aggregate_id}.>",
      "events.{aggregate_type}.{event_type}",
    );
    fc.assert(
      fc.property(templates, subjects, (text, subject) => {
        const template = new SubjectTemplate(text, "graph");
        expect(locate(template, subject)).toBe(template.route(subject) ?? undefined);
      }),
      { numRuns: 2_000 },
    );
    // A literal behind an id is left to the text.
    expect(locate(new SubjectTemplate("{aggregate_id}.events", "any"), "a-1.events")).toBeUndefined();
  });

  it("names one aggregate by filters that cover all of its events and no other's", () => {
    const filtersOf = (template: string, id: string) => new SubjectTemplate(template, "graph").filtersOf(id);
    expect(filtersOf("events.{domain}.{aggregate_id}.{event_type}", "g-1")).toEqual([
      "events.graph.g-1",
      "events.graph.g-1.>",
    ]);
    expect(filtersOf("events.{domain}.{aggregate_type}.{event_type}.{aggregate_id}", "d-1")).toEqual([
      "events.graph.*.*.d-1",
    ]);
    expect(filtersOf("x.{aggregate_id}.>", "g-1")).toEqual(["x.g-1.>"]);
    expect(filtersOf("x.{aggregate_id}.*.{event_type}", "g-1")).toEqual(["x.g-1.>"]);
    expect(filtersOf("events.{aggregate_type}.{event_type}", "g-1")).toBeNull();
  });

  it("has no filter for an id that no token can hold", () => {
    const template = new SubjectTemplate("events.{domain}.{aggregate_id}.{event_type}", "graph");
    for (const id of ["", "Case 1", "a.b", "a*", ">", "tab\t", "zero\0", "half\ud800"]) {
      expect(template.filtersOf(id)).toBeNull();
    }
    expect(template.filtersOf("Größe-1")).toEqual(["events.graph.Größe-1", "events.graph.Größe-1.>"]);
  });

  it("refuses what is no template, and says why", () => {
    const refusal = (template: string, domain = "graph") => {
      try {
        new SubjectTemplate(template, domain);
      } catch (error) {
        expect(error).toBeInstanceOf(UsageError);
        return (error as UsageError).message;
      }
      return "accepted";
    };
    expect(refusal("events.{id}.x")).toMatch(/^Cannot use subject template "events\.\{id\}\.x".*\{id\} is no name/);
    expect(refusal("events.>.x")).toMatch(/> stands before the end/);
    expect(refusal("events..x")).toMatch(/a token is empty/);
    expect(refusal("")).toMatch(/a token is empty/);
    expect(refusal("events.{aggregate_id}.{aggregate_id}")).toMatch(/twice/);
    expect(refusal("events.v{event_type}")).toMatch(/mixes/);
    expect(refusal("events.a b")).toMatch(/no token/);
    expect(refusal("events.a*")).toMatch(/no token/);
    expect(refusal("events.{domain}.x", "my graph")).toMatch(/domain's name/);
    expect(refusal("events.{domain}.x", ">")).toMatch(/domain's name/);
    expect(refusal("events.{domain}.x", "{event_type}")).toMatch(/domain's name/);
  });

  it("takes a domain's name as it is", () => {
    expect(new SubjectTemplate("svc-{domain}.{aggregate_id}", "a$&b").filters()).toEqual(["svc-a$&b.*"]);
  });
});
