import { describe, expect, it, vi } from "vitest";
import { ReplayError, UsageError } from "./errors.ts";
import type { ReplayEvent } from "./event.ts";
import { compileProjection, parseProjection } from "./fold.ts";
import type { Projection } from "./projection.ts";

function event(type: string, payload: unknown = {}): ReplayEvent {
  return {
    type,
    payload,
    aggregateId: "a",
    aggregateType: null,
    domain: "graph",
    timestamp: "2026-01-01T00:00:00Z",
    sequence: 1,
    streamSequence: 1,
    eventId: null,
    correlationId: null,
    causationId: null,
    metadata: {},
    headers: {},
  };
}

/** Keeps what it was given. */
const recorder: Projection<ReplayEvent[]> = {
  name: "recorder",
  initial: () => [],
  evolve: (seen, one) => [...seen, one],
};

function seenBy(projection: Projection<ReplayEvent[]>, one: ReplayEvent): ReplayEvent | undefined {
  const compiled = compileProjection(projection);
  return (compiled.apply(compiled.initial("a"), one) as ReplayEvent[])[0];
}

describe("a compiled projection", () => {
  it("gives evolve the event itself where nothing is upcast", () => {
    const one = event("NodeAdded");
    expect(seenBy(recorder, one)).toBe(one);
    expect(seenBy({ ...recorder, upcast: { EdgeAdded: () => "other" } }, one)).toBe(one);
  });

  it("gives evolve the upcast payload under the type, another spelling of it, or an alias", () => {
    const upcast = { NodeAdded: (payload: unknown, one: ReplayEvent) => [payload, one.type] };
    for (const type of ["NodeAdded", "node_added", "NodeCreated", "node-created"]) {
      const original = event(type, 1);
      const seen = seenBy({ ...recorder, upcast }, original);
      expect(seen?.payload).toEqual([1, type]);
      expect(seen?.type).toBe(type);
      expect(seen?.streamSequence).toBe(1);
      expect(original.payload).toBe(1);
    }
  });

  it("prefers the upcaster of the very type, then of its spelling, then the first alias", () => {
    const upcast = { NodesConnected: () => "nodes", EdgeCreated: () => "created", edge_created: () => "snake" };
    expect(seenBy({ ...recorder, upcast }, event("edge_created"))?.payload).toBe("snake");
    expect(seenBy({ ...recorder, upcast }, event("edge-created"))?.payload).toBe("created");
    expect(seenBy({ ...recorder, upcast }, event("EdgeAdded"))?.payload).toBe("nodes");
  });

  it("does not take members of Object for upcasters", () => {
    expect(seenBy({ ...recorder, upcast: { X: () => "x" } }, event("constructor", 1))?.payload).toBe(1);
  });

  it("refuses undefined from initial, upcast, evolve and encode", () => {
    const nothing = (() => undefined) as () => never;
    const one = event("X");
    expect(() => compileProjection({ ...recorder, initial: nothing }).initial("a")).toThrow(
      "its initial returned undefined",
    );
    expect(() => compileProjection({ ...recorder, evolve: nothing }).apply([], one)).toThrow(
      "its evolve returned undefined",
    );
    expect(() => compileProjection({ ...recorder, upcast: { X: nothing } }).apply([], one)).toThrow(
      "its upcast of X returned undefined",
    );
    expect(() => compileProjection({ ...recorder, encode: nothing }).encode([])).toThrow(
      "its encode returned undefined",
    );
  });

  it("refuses a promise, and swallows its failure", async () => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    const late = (async () => {
      throw new Error("late");
    }) as () => never;
    const compiled = compileProjection({ ...recorder, evolve: late });
    expect(() => compiled.apply([], event("X"))).toThrow(ReplayError);
    expect(() => compiled.apply([], event("X"))).toThrow("its evolve returned a promise");
    await new Promise((resolve) => setTimeout(resolve, 10));
    process.off("unhandledRejection", unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });

  it("lets what the projection throws pass", () => {
    const failing = compileProjection({
      ...recorder,
      evolve: () => {
        throw new TypeError("no such node");
      },
    });
    expect(() => failing.apply([], event("X"))).toThrow(TypeError);
  });

  it("encodes the state itself by default, in canonical order", () => {
    expect(compileProjection({ ...recorder } as Projection).encode({ b: 1, a: 2 })).toBe('{"a":2,"b":1}');
    const counting: Projection<ReplayEvent[]> = { ...recorder, encode: (seen) => ({ count: seen.length }) };
    const counted = compileProjection(counting);
    expect(counted.encode([1, 2])).toBe('{"count":2}');
    expect(() => counted.decode({ count: 2 })).toThrow("has encode and no decode");
    expect(compileProjection({ ...counting, decode: () => [] } as Projection).decode({ count: 2 })).toEqual([]);
  });

  it("keeps `this` of a projection that is an instance of a class", () => {
    class Counter implements Projection<number> {
      readonly name = "counter";
      readonly step = 2;
      initial() {
        return 0;
      }
      evolve(state: number) {
        return state + this.step;
      }
    }
    const compiled = compileProjection(new Counter());
    expect(compiled.apply(compiled.initial("a"), event("X"))).toBe(2);
  });
});

const good = { name: "x", initial: () => ({}), evolve: (state: unknown) => state };

describe("parsing a projection", () => {
  it("returns a good one itself", () => {
    expect(parseProjection(good, "./x.ts")).toBe(good);
    const full = { ...good, domains: ["graph"], upcast: { A: () => 1 }, encode: () => 1 };
    expect(parseProjection(full, "./x.ts")).toBe(full);
  });

  it("names the file and all that is wrong at once", () => {
    const bad = { name: "", initial: 1, evolve: async () => 1, domains: "graph", upcast: { A: 2 }, encode: null };
    const parse = () => parseProjection(bad, "./x.ts");
    expect(parse).toThrow(UsageError);
    for (const problem of [
      "Cannot use ./x.ts",
      "name is empty",
      "initial is a number",
      "evolve is an AsyncFunction",
      "domains is not a list",
      "upcast.A is a number",
      "encode is null",
    ]) {
      expect(parse).toThrow(problem);
    }
  });

  it.each([undefined, null, 1, "x", () => good, [], Promise.resolve(good)])("refuses %o", (value) => {
    expect(() => parseProjection(value, "./x.ts")).toThrow(UsageError);
  });
});
