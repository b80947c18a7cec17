import { expect, test } from "vitest";
import { checkServer } from "./server-facts.ts";

const url = "redis://user:s3cret@host:6379";

test("takes 6.2 and newer, and refuses older ones by name", () => {
  for (const version of ["6.2.0", "7.0.15", "10.1.0"]) {
    expect(checkServer(`# Server\r\nredis_version:${version}\r\nmaxmemory_policy:noeviction\r\n`, url)).toEqual([]);
  }
  for (const version of ["6.0.16", "5.0.14"]) {
    expect(() => checkServer(`redis_version:${version}\r\n`, url)).toThrow(
      `Cannot use Redis at redis://***@host:6379: it is ${version}, and 6.2 is the oldest that works.`,
    );
  }
});
