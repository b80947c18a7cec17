import { builtinProjections } from "@cim-replay/projections";
import { generateEvents } from "@cim-replay/testkit";
import { compileDomain, compileProjection, domainSettingsSchema, isMalformed } from "@cim-replay/core";
import { packChunk, newPackr } from "../../packages/worker/src/packed-chunk.ts";
import { packCheckpoint } from "../../packages/worker/src/checkpoint-codec.ts";
import { AggregateTable } from "../../packages/worker/src/aggregate-table.ts";
const codec = compileDomain("graph", domainSettingsSchema.parse({}));
for (const name of ["aggregate", "graph"]) {
  const proj = compileProjection(builtinProjections.get(name)!);
  const table = new AggregateTable("graph");
  let i = 0;
  for (const g of generateEvents({ domains: ["graph"], events: 100000, aggregates: 8000, skew: 0, seed: 1, eventBytes: 300 })) {
    const m = { seq: ++i, subject: g.subject, receivedAtMs: 0, data: g.data, headers: undefined };
    const e = codec.decode(m, codec.route(g.subject)!);
    if (isMalformed(e)) throw new Error(e.reason);
    const a = table.get(e.aggregateId) ?? table.add(e.aggregateId, e.aggregateId, 0);
    a.state = proj.apply(a.state ?? proj.initial(a.id), e); a.events++; a.lastSeq = i; a.lastCid = "bafkreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
  }
  const meta = { counts: {} as never, deliveredBySlice: [], deliveredByPartition: [], firstParkedSeq: null, parkedAggregates: 0 };
  for (let k = 0; k < 6; k++) {
    const t = performance.now();
    const chunks = packCheckpoint(table.all(), meta, { knownBelow: 1e9, maxBytes: 1e6 });
    const ms = performance.now() - t;
    console.log(name, chunks.length, "formats", [...new Set(chunks.map((c) => c[0]))], (ms * 1000 / table.size).toFixed(2), "us/row", chunks.reduce((s, c) => s + c.length, 0) / table.size, "B/row");
  }
}
