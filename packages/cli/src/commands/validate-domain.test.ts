import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectNats, ensureBucket, type NatsClient } from "@cim-replay/nats";
import { uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { runTool, type ToolResult } from "../run-tool.fixture.ts";

const folder = mkdtempSync(join(tmpdir(), "cim-replay-validate-"));
const bucket = uniqueName("VALIDATE");
let client: NatsClient;

const sound = { aggregate_id: "a", events: 2, first_event_type: "A", last_event_type: "B" };

beforeAll(async () => {
  client = await connectNats({ url: inject("natsUrl"), name: "test" });
  await ensureBucket(client, bucket);
  await client.js.publish(`$KV.${bucket}.shop.a`, JSON.stringify(sound));
  await client.js.publish(`$KV.${bucket}.broken.a`, JSON.stringify({ ...sound, events: 0 }));
  writeFileSync(
    join(folder, "rules.yaml"),
    `version: 1\nrules:\n  - {name: three, condition: entry.events == 3, message: "has {{ entry.events }}"}\n`,
  );
  writeFileSync(
    join(folder, "warn.yaml"),
    "version: 1\nrules: [{name: w, severity: warning, condition: 'false', message: m}]\n",
  );
  writeFileSync(join(folder, "wrong.yaml"), "version: 1\nrules:\n  - {name: w, condition: nodes, message: m}\n");
});
afterAll(async () => {
  await client.jsm.streams.delete(`KV_${bucket}`);
  await client.close();
  rmSync(folder, { recursive: true });
});

function validate(...args: string[]): Promise<ToolResult> {
  const where = { cwd: folder, env: { NATS_URL: inject("natsUrl") } };
  return runTool("validate-domain", [...args, "--target", bucket], where);
}

describe("validate-domain", () => {
  it("takes the built-in rules, and exits with 0 where they hold", async () => {
    const { status, stdout, stderr } = await validate("--domain", "shop");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toContain(`shop in bucket ${bucket}: the rules hold. All 5 rules hold. Of 1 rule nothing`);
    expect(stdout).toContain("built-in rules for aggregate");
  });

  it("exits with 1 where an error does not hold, and shows where", async () => {
    const { status, stdout } = await validate("--domain", "shop", "--rules", "rules.yaml");
    expect(status).toBe(1);
    expect(stdout).toContain("error three: Does not hold for 1 of 1 entry.\n  shop.a: has 2\n");
  });

  it("exits with 0 where only a warning does not hold", async () => {
    const { status, stdout } = await validate("--domain", "shop", "--rules", "warn.yaml", "--format", "json");
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ verdict: "holds", results: [{}, { name: "w", failed: 1 }] });
  });

  it("prints XML for CI systems", async () => {
    const { status, stdout } = await validate("--domain", "broken", "--format", "junit");
    expect(status).toBe(1);
    expect(stdout).toMatch(/^<\?xml version="1\.0" encoding="UTF-8"\?>\n<testsuites .* failures="1" /);
    expect(stdout).toContain("broken.a: has 0 events");
  });

  it("writes a report in one go, whatever the verdict, and says so on stderr", async () => {
    const { status, stdout, stderr } = await validate("--domain", "broken", "--report", "report.html");
    expect({ status, stderr }).toEqual({ status: 1, stderr: "The report is in report.html.\n" });
    expect(stdout).toContain("says-what-happened");
    expect(readFileSync(join(folder, "report.html"), "utf8")).toMatch(
      /^<!doctype html>[\s\S]*has 0 events[\s\S]*<\/html>\n$/,
    );
    expect(readdirSync(folder).filter((name) => name.includes(".new"))).toEqual([]);
  });

  it.each([
    [["--rules", "rules.yaml"], "no domain is named"],
    [
      ["--domain", "shop", "--rules", "wrong.yaml"],
      "wrong.yaml:3:26 condition: Unknown variable: nodes. See docs/rules.md.",
    ],
    [["--domain", "shop", "--rules", "nowhere.yaml"], "Cannot read the rules in nowhere.yaml: ENOENT"],
    [["--domain", "shop", "--report", "nowhere/report.html"], "Cannot write nowhere/report.html: ENOENT"],
    [["--domain", "shop", "--format", "pdf"], '"pdf" is not one of text, json, junit'],
  ])("exits with 2 for %j", async (args, message) => {
    const { status, stdout, stderr } = await validate(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain(message);
  });

  it("exits with 1 where there is nothing to validate", async () => {
    const { status, stderr } = await validate("--domain", "nobody");
    expect(status).toBe(1);
    expect(stderr).toContain("holds no entry of it");
  });
});
