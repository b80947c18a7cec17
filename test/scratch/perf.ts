import { connectNats, readStream, streamFacts } from "@cim-replay/nats";
import { startNats, generateEvents, publishEvents } from "@cim-replay/testkit";
import { compileDomain, compileProjection, domainSettingsSchema, isMalformed } from "@cim-replay/core";
import { builtinProjections } from "@cim-replay/projections";
const N = Number(process.argv[2] ?? 300000), A = Number(process.argv[3] ?? 20000);
const nats = await startNats();
const client = await connectNats({ url: nats.url, name: "try" });
const r = await publishEvents(client, { events: generateEvents({ domains: ["graph"], events: N, aggregates: A, skew: 0, seed: 1, eventBytes: 300 }) });
console.log(r);
const facts = await streamFacts(client, "EVENTS");
if (!facts) throw new Error();
console.log("bytes/msg", facts.bytes / facts.messages);
const codec = compileDomain("graph", domainSettingsSchema.parse({}));
async function pass(name: string, f: (b: readonly any[]) => void, max = 10000) {
  const c0 = process.cpuUsage(); const t0 = performance.now();
  for await (const b of readStream(client, { stream: "EVENTS", created: facts!.created, range: { fromSeq: 1, toSeq: facts!.lastSeq }, filterSubjects: [], maxMessages: max, maxBytes: 32e6, noProgressMs: 5000, signal: new AbortController().signal })) f(b);
  const c = process.cpuUsage(c0); const ms = performance.now() - t0;
  console.log(name.padEnd(18), "cpu us/ev", ((c.user + c.system) / N).toFixed(2), "wall us/ev", (ms * 1000 / N).toFixed(2));
}
async function raw() {
  const c0 = process.cpuUsage(); const t0 = performance.now();
  const ci = await client.jsm.consumers.add("EVENTS", { ack_policy: "none" as any, deliver_policy: "all" as any, mem_storage: true, inactive_threshold: 60e9 });
  let n = 0, outstanding = 0; const inbox = `_INBOX.${Math.random().toString(36).slice(2)}`;
  await new Promise<void>((res) => {
    const ask = () => { outstanding += 5000; client.nc.publish(`$JS.API.CONSUMER.MSG.NEXT.EVENTS.${ci.name}`, JSON.stringify({ batch: 5000, expires: 5e9, max_bytes: 16e6 }), { reply: inbox }); };
    const s = client.nc.subscribe(inbox, { callback: (_e, m) => { if (m.data.length === 0 && m.headers) { outstanding = 0; ask(); return; } n++; outstanding--; if (outstanding === 5000) ask(); if (n === N) { s.unsubscribe(); res(); } else if (outstanding <= 0) ask(); } });
    ask(); ask();
  });
  const c = process.cpuUsage(c0); const ms = performance.now() - t0;
  console.log("raw".padEnd(18), "cpu us/ev", ((c.user + c.system) / N).toFixed(2), "wall us/ev", (ms * 1000 / N).toFixed(2));
}
for (let i = 0; i < 3; i++) {
  await raw();
  await pass("read", () => {});
  await pass("subject", (b) => { for (const m of b) m.subject; });
  await pass("route", (b) => { for (const m of b) codec.route(m.subject); });
  await pass("decode", (b) => { for (const m of b) { const k = codec.route(m.subject); if (k !== undefined) codec.decode(m, k); } });
  for (const p of ["aggregate", "graph"]) {
    const proj = compileProjection(builtinProjections.get(p)!);
    const states = new Map<string, unknown>();
    await pass("fold " + p, (b) => { for (const m of b) { const k = codec.route(m.subject); if (k === undefined) continue; const e = codec.decode(m, k); if (isMalformed(e)) continue; let s = states.get(e.aggregateId) ?? proj.initial(e.aggregateId); states.set(e.aggregateId, proj.apply(s, e)); } });
  }
}
await client.close(); await nats.stop();
