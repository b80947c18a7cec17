import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectNats, ensureBucket, type NatsClient } from "@cim-replay/nats";
import { uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, expect, inject, test } from "vitest";

const mainUrl = new URL("../main.ts", import.meta.url).href;
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
  const script = `import { main } from "${mainUrl}"; await main("validate-domain")`;
  const node = ["--conditions=source", "--input-type=module", "--eval", script, "--", "validate-domain"];
  const flags = ["--domain", "shop", "--rules", "shop-rules.yaml", "--target", bucket];
  const env = { PATH: process.env.PATH ?? "", NATS_URL: inject("natsUrl") };
  const child = spawn(process.execPath, [...node, ...flags], { cwd: folder, env });
  let printed = "";
  for (const pipe of [child.stdout, child.stderr]) {
    pipe.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
    });
  }
  const status = await new Promise((resolve) => child.on("close", resolve));
  expect(printed.replaceAll(bucket, "CIM_PROJECTIONS").replaceAll(stream, "EVENTS")).toBe(output);
  expect(status).toBe(1);
});
