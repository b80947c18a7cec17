import { spawn } from "node:child_process";
import { hash } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { EntryWriter, ensureBucket, publishAll } from "@cim-replay/nats";
import { type Bench, withBench } from "./bench-setup.ts";
import { ProcessWatch } from "./process-watch.ts";

const BIN = fileURLToPath(new URL("../../node_modules/.bin/", import.meta.url));
const DOMAIN = "bench";
const LONGER = 4;
const RESTORED_PER_SECOND = 25_000;
/** The collector leaves more lying about the longer it may; what grows with the length would be four times as much. */
const FLAT = 1.5;

interface Measured {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakMiB: number;
}

/** A command as a user starts it: from its start to its end, Node's own included. */
async function measure({ urls, folder }: Bench, tool: string, args: readonly string[]): Promise<Measured> {
  const began = performance.now();
  const child = spawn(join(BIN, tool), args, {
    cwd: folder,
    env: { ...process.env, ...urls },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const watch = new ProcessWatch(child.pid ?? 0);
  const closed = once(child, "close");
  const notes = await text(child.stderr);
  const [status] = (await closed) as [number | null];
  watch.stop();
  if (status !== 0) throw new Error(`Cannot measure ${tool} ${args.join(" ")}: it ended with ${status}.\n${notes}`);
  const { cpuMicros, peakBytes } = watch.root;
  return { seconds: (performance.now() - began) / 1000, cpuSeconds: cpuMicros / 1e6, peakMiB: peakBytes / 1024 ** 2 };
}

async function fillBucket({ client }: Bench, bucket: string, entries: number): Promise<void> {
  await ensureBucket(client, bucket);
  const writer = new EntryWriter(client, bucket);
  for (let i = 0; i < entries; i++) {
    const value = `{"id":"order-${i}","lines":${i % 97},"note":"${hash("sha256", String(i)).repeat(4)}"}`;
    const provenance = { run: "bench", epoch: 1, lastSeq: i + 1, events: 3, sha256: hash("sha256", value) };
    const room = writer.put(`${DOMAIN}.order-${i}`, value, provenance, 0);
    if (room) await room;
  }
  await writer.flush();
}

async function fillStream({ client }: Bench, stream: string, events: number): Promise<void> {
  await client.jsm.streams.add({ name: stream, subjects: [`${stream}.>`] });
  await publishAll(client, { stream, messages: messagesOf(stream, events) });
}

function* messagesOf(stream: string, events: number): Generator<{ subject: string; data: Uint8Array }> {
  for (let i = 0; i < events; i++) {
    const data = Buffer.from(`{"id":"order-${i % 5_000}","n":${i},"note":"${hash("sha256", String(i)).repeat(3)}"}`);
    yield { subject: `${stream}.order-${i % 5_000}.Moved`, data };
  }
}

function row(what: string, count: number, { seconds, cpuSeconds, peakMiB }: Measured): void {
  const rate = Math.round(count / seconds).toLocaleString("en");
  const [took, used] = [seconds.toFixed(1), cpuSeconds.toFixed(1)];
  console.log(
    `${what.padEnd(44)}${took.padStart(7)} s (CPU ${used} s)${rate.padStart(9)}/s${peakMiB.toFixed(0).padStart(6)} MiB`,
  );
}

async function entriesBars(bench: Bench, count: number): Promise<boolean[]> {
  const peaks: number[] = [];
  for (const times of [1, LONGER]) {
    const [bucket, file] = [`SOURCE${times}`, `entries-${times}.tar.gz`];
    await fillBucket(bench, bucket, count * times);
    const made = await measure(bench, "backup-projections", ["--domain", DOMAIN, "--target", bucket, "--output", file]);
    row(`backup-projections, ${count * times} entries`, count * times, made);
    peaks.push(made.peakMiB);
    await bench.client.jsm.streams.delete(`KV_${bucket}`);
  }
  const args = ["--backup", `entries-${LONGER}.tar.gz`, "--target", "RESTORED"];
  const restored = await measure(bench, "restore-projections", args);
  row(`restore-projections, ${count * LONGER} entries`, count * LONGER, restored);
  await bench.client.jsm.streams.delete("KV_RESTORED");
  return [
    bar(
      `restore at least ${RESTORED_PER_SECOND} entries/s`,
      (count * LONGER) / restored.seconds >= RESTORED_PER_SECOND,
    ),
    isFlat("backup-projections", peaks),
  ];
}

async function eventsBars(bench: Bench, count: number): Promise<boolean[]> {
  const backups: number[] = [];
  const restores: number[] = [];
  for (const times of [1, LONGER]) {
    const [stream, file, copy] = [`EVENTS${times}`, `events-${times}.tar.zst`, `COPY${times}`];
    await fillStream(bench, stream, count * times);
    const made = await measure(bench, "backup-events", ["--stream", stream, "--output", file]);
    row(`backup-events, ${count * times} events`, count * times, made);
    const restored = await measure(bench, "restore-events", ["--backup", file, "--stream", copy, "--keep-subjects"]);
    row(`restore-events, ${count * times} events`, count * times, restored);
    backups.push(made.peakMiB);
    restores.push(restored.peakMiB);
    for (const name of [stream, copy]) await bench.client.jsm.streams.delete(name);
  }
  return [isFlat("backup-events", backups), isFlat("restore-events", restores)];
}

function isFlat(what: string, [once = 0, longer = 0]: readonly number[]): boolean {
  return bar(`${what}: memory at ${LONGER} times the length at most ${FLAT} times`, longer <= once * FLAT);
}

function bar(what: string, passed: boolean): boolean {
  console.log(`${passed ? "passed" : "FAILED"}  ${what}`);
  return passed;
}

/** `npm run bench:archives [entries]`: a hundred thousand, and four times as many. */
const count = Number(process.argv[2] ?? 100_000);
const passed = await withBench(async (bench) => [
  ...(await entriesBars(bench, count)),
  ...(await eventsBars(bench, count)),
]);
process.exitCode = passed.every(Boolean) ? 0 : 1;
