import { hash } from "node:crypto";
import { EntryWriter, ensureBucket, publishAll } from "@cim-replay/nats";
import { type Bench, withBench } from "./bench-setup.ts";
import { bar, measureCommand as measure, row } from "./measured-command.ts";

const DOMAIN = "bench";
const LONGER = 4;
const RESTORED_PER_SECOND = 25_000;
/** The collector leaves more lying about the longer it may; what grows with the length would be four times as much. */
const FLAT = 1.5;

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

/** `npm run bench:archives [entries]`: a hundred thousand, and four times as many. */
const count = Number(process.argv[2] ?? 100_000);
const passed = await withBench(async (bench) => [
  ...(await entriesBars(bench, count)),
  ...(await eventsBars(bench, count)),
]);
process.exitCode = passed.every(Boolean) ? 0 : 1;
