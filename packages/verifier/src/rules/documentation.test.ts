import { readFileSync } from "node:fs";
import { domainSettingsSchema, parseEntryKey } from "@cim-replay/core";
import { connectNats, ensureBucket, EntryWriter, type NatsClient } from "@cim-replay/nats";
import { builtinProjections } from "@cim-replay/projections";
import { generateEvents, publishEvents, referenceFold, uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { MAX_ALIASES } from "@cim-replay/filter";
import { RULES_LIMITS } from "./limits.ts";
import { parseRules } from "./parse-rules.ts";
import { entry, judged, ruleSet } from "./rules.fixture.ts";
import { validateDomain } from "./validate-domain.ts";

const page = readFileSync(new URL("../../../../docs/rules.md", import.meta.url), "utf8");
const example = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? "";

describe("docs/rules.md", () => {
  const bucket = uniqueName("DOCS");
  const stream = uniqueName("DOCS");
  let client: NatsClient;
  beforeAll(async () => {
    client = await connectNats({ url: inject("natsUrl"), name: "test" });
    await fill(client, stream, bucket);
  });
  afterAll(async () => {
    await client.jsm.streams.delete(stream);
    await client.jsm.streams.delete(`KV_${bucket}`);
    await client.close();
  });

  it("has an example whose rules hold for generated graphs", async () => {
    const validation = await validateDomain({
      client,
      domain: "graph",
      domainSettings: domainSettingsSchema.parse({ stream, subject: `${stream}.{domain}.{aggregate_id}.{event_type}` }),
      bucket,
      rules: parseRules(example, "docs/rules.md"),
      toolVersion: "0.0.0",
      signal: new AbortController().signal,
    });
    expect(validation.results).toHaveLength(6);
    expect(validation.results.filter(({ notEvaluated }) => notEvaluated > 0)).toEqual([]);
    expect(validation.results.filter(({ failed, severity }) => failed > 0 && severity === "error")).toEqual([]);
  });

  it("has an example whose rules over entries fail for what they are about", () => {
    const { rules, ...set } = parseRules(example, "docs/rules.md");
    const node = { label: null };
    const edge = { weight: 2, edge_type: null };
    const graph = { node_count: 2, nodes: { a: node }, edge_count: 1, edges: { e: edge }, archived: true };
    const named = rules.filter(({ scope }) => scope === "entry");
    const results = judged({ ...set, rules: named }, [entry("g", graph)]);
    expect(results.map(({ examples }) => examples[0]?.message)).toEqual([
      undefined,
      "node_count is 2, and there are 1 nodes",
      'without a type are the edges ["e"]',
    ]);
  });

  it("shows mistakes as they are told", () => {
    const text = "version: 1\nrules:\n  - name: a\n    condition: size(nodes) > 1\n    mesage: x\n";
    const shown = /```\n(Cannot use the rules[\s\S]*?)```/.exec(page)?.[1]?.trim();
    expect(() => parseRules(text, "rules.yaml")).toThrow(shown);
  });

  it.each([
    ["entry.nodes.all(n, entry.nodes[n].label != null)", { nodes: { a: { label: "x" } } }],
    ["7 / 2 == 3 && 7 / 2.0 == 3.5", {}],
    ["has(entry.x) || entry.?x.orValue(0) == 0", {}],
  ])("says that %s", (expression, value) => {
    const [, result] = judged(ruleSet({ condition: expression }), [entry("a", value)]);
    expect(result).toMatchObject({ failed: 0, checked: 1 });
    for (const part of expression.split(/ && | \|\| /)) expect(page).toContain(part.replace(/ == (3|3\.5|0)$/, ""));
  });

  it("states the limits as they are", () => {
    expect(page).toContain(
      `${RULES_LIMITS.fileBytes / 1024} KiB, ${RULES_LIMITS.rules} rules and ${MAX_ALIASES} aliases`,
    );
    expect(page.replaceAll("\n", " ")).toContain("2,000 characters, 1,000 parts and 40 levels");
  });
});

async function fill(client: NatsClient, stream: string, bucket: string): Promise<void> {
  const events = [...generateEvents({ domains: ["graph"], events: 2_000, aggregates: 40, skew: 0, seed: 5 })];
  await client.jsm.streams.add({ name: stream, subjects: [`${stream}.>`] });
  await publishEvents(client, {
    stream,
    events: events.map(({ subject, data }) => ({ subject: subject.replace(/^events/, stream), data })),
  });
  const projection = builtinProjections.get("graph");
  if (!projection) throw new Error("no projection");
  const messages = events.map(({ subject, data }, i) => ({ seq: i + 1, subject, data }));
  await ensureBucket(client, bucket);
  const writer = new EntryWriter(client, bucket);
  for (const [key, text] of await referenceFold(messages, projection, { domain: "graph" })) {
    const of = events.filter(({ aggregateId }) => aggregateId === parseEntryKey(key)?.aggregateId);
    await writer.put(key, text, { run: "r1", epoch: 1, lastSeq: 1, events: of.length, sha256: "00" }, 0);
  }
  await writer.flush();
}
