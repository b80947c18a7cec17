import { readFileSync } from "node:fs";
import { z } from "zod";

/** Of the whole product: what reports and certificates say that they were made with. */
export function toolVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}
