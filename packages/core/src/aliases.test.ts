import { describe, expect, it } from "vitest";
import { canonicalType, sameType } from "./aliases.ts";

describe("event type aliases", () => {
  it.each([
    "EdgeCreated",
    "EdgeAdded",
    "EdgeConnected",
    "NodesConnected",
    "edge_created",
    "nodes-connected",
    "edgeconnected",
    "edge.added",
  ])("knows %s as EdgeAdded", (type) => {
    expect(sameType(type, "EdgeAdded")).toBe(true);
    expect(canonicalType(type)).toBe("edgeadded");
  });

  it("knows every spelling of a type that has no alias", () => {
    for (const type of ["workflow_started", "workflow-started", "workflowstarted", "WORKFLOW_STARTED"]) {
      expect(sameType("WorkflowStarted", type)).toBe(true);
    }
  });

  it("keeps different events apart", () => {
    expect(sameType("NodeAdded", "EdgeAdded")).toBe(false);
    expect(sameType("NodeAdded", "NodeRemoved")).toBe(false);
    expect(sameType("constructor", "__proto__")).toBe(false);
  });

  it("stays right after more types than it remembers", () => {
    for (let i = 0; i < 10_000; i++) expect(canonicalType(`Type_${i}`)).toBe(`type${i}`);
    expect(canonicalType("node_created")).toBe("nodeadded");
  });
});
