import { startNats } from "@cim-replay/testkit";
import { hash } from "node:crypto";
import { createInbox, type Msg } from "nats";
import { connectNats } from "./connect.ts";
import { ensureBucket, countKeys } from "./entries.ts";
import { EntryWriter } from "./entry-writer.ts";
import { readEntries, readHeads } from "./entry-read.ts";
const nats = await startNats();
const c = await connectNats({ url: nats.url, name: "t" });
const N = 100_000;
const value = "x".repeat(300);
async function bare(bucket: string, withRev: boolean) {
  await ensureBucket(c, bucket);
  const inbox = createInbox() + ".";
  let pending = 0;
  let wake: (() => void) | null = null;
  const sub = c.nc.subscribe(inbox + "*", {
    callback: () => {
      if (--pending < 3000 && wake) {
        wake();
        wake = null;
      }
    },
  });
  const cpu = process.cpuUsage();
  const t = performance.now();
  const enc = new TextEncoder().encode(value);
  for (let i = 0; i < N; i++) {
    c.nc.publish(`$KV.${bucket}.graph.${i}`, enc, { reply: inbox + i });
    if (++pending >= 4000) await new Promise<void>((r) => (wake = r));
  }
  while (pending > 0) await new Promise((r) => setTimeout(r, 1));
  const ms = performance.now() - t;
  const u = process.cpuUsage(cpu);
  sub.unsubscribe();
  return [Math.round((N / ms) * 1000), ((u.user + u.system) / N).toFixed(2)];
}
async function ours(bucket: string) {
  await ensureBucket(c, bucket);
  const w = new EntryWriter(c, bucket);
  const p = { run: "run-2026-01-01-abc", epoch: 1, lastSeq: 123456, events: 50, sha256: hash("sha256", value) };
  const cpu = process.cpuUsage();
  const t = performance.now();
  for (let i = 0; i < N; i++) {
    const wait = w.put(`graph.${i}`, value, p, 0);
    if (wait) await wait;
  }
  const r = await w.flush();
  const ms = performance.now() - t;
  const u = process.cpuUsage(cpu);
  if (r.refused.length) console.log("refused", r.refused.length);
  return [Math.round((N / ms) * 1000), ((u.user + u.system) / N).toFixed(2)];
}
for (let i = 0; i < 4; i++) {
  console.log("bare", await bare(`bare${i}`, false), "ours", await ours(`ours${i}`));
}
// 400k
await ensureBucket(c, "big");
const w = new EntryWriter(c, "big");
const p = { run: "run-2026-01-01-abc", epoch: 1, lastSeq: 123456, events: 50, sha256: hash("sha256", value) };
for (let i = 0; i < 400_000; i++) {
  const wait = w.put(`graph.${i}`, value, p, 0);
  if (wait) await wait;
}
await w.flush();
let t = performance.now();
console.log("count", await countKeys(c, "big", "graph.>"), performance.now() - t);
for (const f of [readHeads, readEntries])
  for (let i = 0; i < 2; i++) {
    t = performance.now();
    let n = 0,
      first = 0;
    let rss = 0;
    for await (const b of f(c, "big", "graph.>")) {
      first ||= performance.now() - t;
      n += b.length;
      rss = Math.max(rss, process.memoryUsage().rss);
    }
    const ms = performance.now() - t;
    console.log(f.name, n, Math.round((n / ms) * 1000), "/s first", Math.round(first), "rss", Math.round(rss / 1e6));
  }
await c.close();
await nats.stop();
