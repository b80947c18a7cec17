import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const bins = fileURLToPath(new URL("../../node_modules/.bin", import.meta.url));

it("the demo replays a domain, compares it byte for byte with a single-threaded fold, and leaves nothing running", async () => {
  const { stdout } = await promisify(execFile)(join(bins, "cim-replay"), ["demo"], { timeout: 170_000 });
  expect(stdout).toMatch(/^aggregates +2,000$/m);
  expect(stdout).toMatch(/^checked +every entry is byte for byte what a single-threaded fold gives$/m);
  expect(stdout).toContain("Nothing is left running");
}, 180_000);
