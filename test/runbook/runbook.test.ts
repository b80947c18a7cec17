import { fileURLToPath } from "node:url";
import { connectNats, type NatsClient } from "@cim-replay/nats";
import { type ServerPair, startServerPair } from "@cim-replay/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { OperatorsShell } from "./operators-shell.ts";
import { publishSample } from "./sample.ts";
import { shellBlocks } from "./shell-blocks.ts";

const DOCUMENT = fileURLToPath(new URL("../../docs/runbook.md", import.meta.url));
const blocks = await shellBlocks(DOCUMENT);
const SERVICES = `services:
  - name: importer
    command:
      stop: { shell: "rm -f importer.running" }
      start: { shell: "touch importer.running" }
      status: { shell: "test -f importer.running" }
`;

let servers: ServerPair;
let client: NatsClient;
let shell: OperatorsShell;

beforeAll(async () => {
  servers = await startServerPair();
  client = await connectNats({ url: servers.nats.url, name: "runbook" });
  const { aggregateId, halfway } = await publishSample(client, 3_000);
  shell = await OperatorsShell.open(servers, { AGGREGATE_ID: aggregateId, TARGET_TIME: halfway });
  await shell.write("cim-replay.yaml", SERVICES);
  await shell.write("importer.running", "");
  // What the runbook is for: entries that are right, but for one.
  for (const domain of ["graph", "person"])
    expect((await shell.run(`domain-replay --domain ${domain}`)).status).toBe(0);
  await client.js.publish(`$KV.CIM_PROJECTIONS.graph.${aggregateId}`, JSON.stringify({ corrupt: true }));
}, 180_000);
afterAll(async () => {
  await client?.close();
  await servers?.stop();
  await shell?.[Symbol.asyncDispose]();
});

describe("every shell block of docs/runbook.md ends as the document says", () => {
  it.each(blocks)("line $line: $heading", { timeout: 180_000 }, async ({ script, status }) => {
    const result = await shell.run(script);
    expect(result.status, `${script}\n\n${result.output}`).toBe(status);
    expect(result.output).not.toMatch(/^\s+at .*\.(?:ts|js):\d+/m);
  });

  it("and there are such blocks", () => expect(blocks.length).toBeGreaterThan(15));
});
