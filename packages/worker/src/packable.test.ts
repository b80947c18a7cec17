import { describe, expect, it } from "vitest";
import { assertPackable } from "./packable.ts";

class Money {
  readonly amount = 1;
}

const nested = (depth: number): unknown => (depth === 0 ? "deep" : { in: nested(depth - 1) });

describe("assertPackable", () => {
  it("lets plain values, Maps, Sets, Dates and bytes through", () => {
    const state = {
      a: [1, "two", null, undefined, 3n, true],
      map: new Map<unknown, unknown>([[{ k: 1 }, new Set([[1]])]]),
      at: new Date(0),
      bytes: Uint8Array.of(1),
      bare: Object.create(null) as unknown,
    };
    expect(() => assertPackable(state, "graph.a")).not.toThrow();
    expect(() => assertPackable(undefined, "graph.a")).not.toThrow();
    expect(() => assertPackable(nested(150), "graph.a")).not.toThrow();
  });

  it.each([
    ["a class's instance", { price: new Money() }, /state of graph\.a: state\.price is a Money/],
    ["a function", { act: () => 1 }, /state\.act is a function/],
    ["a symbol", [Symbol("s")], /state\[0\] is a symbol/],
    ["what lies in a Map", { m: new Map([["k", [new Money()]]]) }, /state\.m\[1\]\[0\] is a Money/],
    ["what lies in a Set", { s: new Set([new Money()]) }, /state\.s\[0\] is a Money/],
    ["a key of a Map", new Map([[new Money(), 1]]), /state\[0\] is a Money/],
    ["a promise", { p: Promise.resolve() }, /state\.p is a Promise/],
    ["too deep a state", nested(250), /nested deeper than 200 levels/],
  ])("refuses %s and says where it is", (_, state, message) => {
    expect(() => assertPackable(state, "graph.a")).toThrow(message);
  });

  it("refuses a state that holds itself", () => {
    const state: Record<string, unknown> = {};
    state.self = state;
    expect(() => assertPackable(state, "graph.a")).toThrow(/nested deeper/);
  });
});
