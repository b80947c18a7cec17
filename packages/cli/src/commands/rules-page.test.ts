import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectNats, ensureBucket, type NatsClient } from "@cim-replay/nats";
import { uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { runTool } from "../run-tool.fixture.ts";

const page = readFileSync(new URL("../../../../docs/rules.md", import.meta.url), "utf8");
const section = page.split("\n## ").find((text) => text.startsWith("A worked example")) ?? "";
const [rules = "", orders = "", output = ""] = [...section.matchAll(/```\w+\n([\s\S]*?)```/g)].map(([, text]) => text);

const folder = mkdtempSync(join(tmpdir(), "cim-replay-rules-page-"));
const bucket = uniqueName("ORDERS");
const stream = uniqueName("ORDERS");
let client: NatsClient;

beforeAll(async () => {
  client = await connectNats({ url: inject("natsUrl"), name: "test" });
  await client.jsm.streams.add({ name: stream, subjects: [`${stream}.>`] });
  await ensureBucket(client, bucket);
  for (const line of orders.trim().split("\n")) {
    const { id, status } = JSON.parse(line);
    await client.js.publish(`$KV.${bucket}.shop.${id}`, line);
    for (const type of status === "shipped" ? ["OrderPlaced", "OrderShipped"] : ["OrderPlaced"]) {
      const event = { event_id: `${id}-${type}`, aggregate_id: id, event_type: type, payload: {} };
      await client.js.publish(`${stream}.shop.${id}.${type}`, JSON.stringify(event));
    }
  }
  const domain = { stream, subject: `${stream}.{domain}.{aggregate_id}.{event_type}` };
  writeFileSync(join(folder, "cim-replay.yaml"), JSON.stringify({ domains: { shop: domain } }));
  writeFileSync(join(folder, "shop-rules.yaml"), rules);
});
afterAll(async () => {
  await client.jsm.streams.delete(stream);
  await client.jsm.streams.delete(`KV_${bucket}`);
  await client.close();
  rmSync(folder, { recursive: true });
});

test("validate-domain prints what docs/rules.md says that it prints of its worked example", async () => {
  const flags = ["--domain", "shop", "--rules", "shop-rules.yaml", "--target", bucket];
  const where = { cwd: folder, env: { NATS_URL: inject("natsUrl") } };
  const { status, stdout, stderr } = await runTool("validate-domain", flags, where);
  const printed = stdout + stderr;
  expect(printed.replaceAll(bucket, "CIM_PROJECTIONS").replaceAll(stream, "EVENTS")).toBe(output);
  expect(status).toBe(1);
});
