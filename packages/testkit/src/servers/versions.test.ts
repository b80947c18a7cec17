import { expect, test } from "vitest";
import { atLeast, parseVersion } from "./versions.ts";

test("reads the version out of what each server prints", () => {
  expect(parseVersion("nats-server: v2.15.1\n")).toEqual({ major: 2, minor: 15, patch: 1 });
  expect(parseVersion("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64")).toMatchObject({
    major: 7,
  });
  expect(parseVersion("nats-server: illegal instruction")).toBeNull();
});

test("refuses a server that is older than the oldest supported one", () => {
  expect(atLeast("nats", { major: 2, minor: 9, patch: 30 })).toBe(false);
  expect(atLeast("nats", { major: 2, minor: 10, patch: 26 })).toBe(false);
  expect(atLeast("nats", { major: 2, minor: 10, patch: 27 })).toBe(true);
  expect(atLeast("redis", { major: 10, minor: 0, patch: 0 })).toBe(true);
});
