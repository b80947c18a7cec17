import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, rm } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { readResults } from "./results.ts";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));
const NODE = fileURLToPath(new URL("../../node_modules/.bin/node", import.meta.url));

async function bench(...flags: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const child = spawn(NODE, [MAIN, ...flags], { stdio: ["ignore", "pipe", "pipe"] });
  const closed = once(child, "close");
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [status] = (await closed) as [number];
  return { status, stdout, stderr };
}

test("measures a small stream with the real command and the stages' probe, and keeps every reading", {
  timeout: 180_000,
}, async () => {
  const only = ["--only", "flat, 1 worker", "--only", "stages, flat"];
  const { status, stdout, stderr } = await bench("--suite", "full", "--events", "2k", "--rounds", "1", ...only);
  expect(stdout, stderr).toMatch(/^flat, 1 worker +[\d,]+ +/m);
  // Starting up costs more than two thousand events: bars on speed are missed, which the status says.
  expect(status).toBe(1);
  const [, file = ""] = /^All readings: (.+)$/m.exec(stderr) ?? [];
  const { cases } = await readResults(file);
  const reading = (name: string) => cases.find((one) => one.name === name)?.readings[0];
  expect(reading("flat, 1 worker")).toMatchObject({ round: 1, events: 2_000, entries: 40, units: 1, source: "direct" });
  const stages = reading("stages, flat")?.stages ?? {};
  expect(Object.keys(stages).sort()).toEqual(["decode", "fold", "hash", "read", "route", "together", "write"]);
  for (const [stage, micros] of Object.entries(stages)) expect(micros, stage).toBeGreaterThan(0);
  // Not even as what JSON makes of it.
  expect(await readFile(file, "utf8")).not.toMatch(/NaN|"(seconds|\w+Micros)": null/);
  await rm(file);
});

test("lists and renders without measuring, and refuses a file that holds no readings", async () => {
  const listed = await bench("--suite", "full", "--list");
  expect(listed).toMatchObject({ status: 0, stderr: "" });
  expect(listed.stdout).toMatch(/^OLDEST .* nats-server of the oldest line$/m);
  const refused = await bench("--from", "package.json");
  expect(refused.status).toBe(2);
  expect(refused.stderr).toContain("it holds no readings of this bench");
});
