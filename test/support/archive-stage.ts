import { hash } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connectNats, EntryWriter, ensureBucket, type NatsClient, publishAll, readEntries } from "@cim-replay/nats";
import { type NatsCluster, readAllMessages, type ServerHandle, startNats, startNatsCluster } from "@cim-replay/testkit";
import { ReplayProcess } from "./replay-process.ts";

/** A server, or three that replicate each other's streams, and a folder of its own, in which the archives' commands are started as a user's shell does, and killed. */
export class ArchiveStage {
  /** With a cluster its first. */
  readonly nats: ServerHandle;
  readonly client: NatsClient;
  readonly folder: string;
  readonly #cluster: NatsCluster | null;

  static async open({ clustered = false } = {}): Promise<ArchiveStage> {
    const cluster = clustered ? await startNatsCluster() : null;
    const nats = cluster ? [...cluster.servers.values()][0] : await startNats();
    if (!nats) throw new Error("no server");
    return new ArchiveStage(nats, cluster, await connectNats({ url: cluster?.url ?? nats.url, name: "test" }));
  }

  private constructor(nats: ServerHandle, cluster: NatsCluster | null, client: NatsClient) {
    this.nats = nats;
    this.#cluster = cluster;
    this.client = client;
    this.folder = mkdtempSync(join(tmpdir(), "cim-replay-archive-stage-"));
  }

  async close(): Promise<void> {
    await this.client.close();
    await (this.#cluster ?? this.nats).stop();
    rmSync(this.folder, { recursive: true });
  }

  /** Which of the cluster's servers leads a stream. */
  async leaderOf(stream: string): Promise<ServerHandle> {
    const { cluster } = await this.client.jsm.streams.info(stream);
    const server = this.#cluster?.servers.get(cluster?.leader ?? "");
    if (!server) throw new Error(`no leader of ${stream}`);
    return server;
  }

  start(line: string, env: Readonly<Record<string, string>> = {}): ReplayProcess {
    const [tool = "", ...args] = line.split(" ");
    // What a killed command leaves in the folder for temporary files goes with the stage.
    const own = {
      PATH: process.env.PATH ?? "",
      NATS_URL: this.#cluster?.url ?? this.nats.url,
      NATS_CONTEXT: "none",
      TMPDIR: this.folder,
    };
    return new ReplayProcess(tool, args, { cwd: this.folder, env: { ...own, ...env } });
  }

  /** Started, and so far that the stream has this sequence, or at its end. */
  async startedUpTo(line: string, stream: string, seq: number): Promise<{ run: ReplayProcess; reached: number }> {
    const run = this.start(line);
    let reached = 0;
    while (run.isRunning && reached < seq) reached = await this.lastSeq(stream);
    return { run, reached };
  }

  /** Milliseconds that it took. Throws where it does not end with 0. */
  async finish(line: string, env: Readonly<Record<string, string>> = {}): Promise<number> {
    const began = performance.now();
    const run = this.start(line, env);
    const status = await run.exited;
    if (status !== 0) throw new Error(`${line} ended with ${status}. ${run.said}`);
    return performance.now() - began;
  }

  /** Kills it after a part of the time that it would take. */
  async killed(line: string, afterMs: number): Promise<void> {
    const run = this.start(line);
    await sleep(afterMs);
    run.kill("SIGKILL");
    await run.exited;
  }

  /** Kills it as soon as a file of its folder has a name that begins so and is longer. */
  async killedAtFile(line: string, name: string): Promise<void> {
    const run = this.start(line);
    const isThere = () => readdirSync(this.folder).some((other) => other.startsWith(name) && other !== name);
    while (run.isRunning && !isThere()) await sleep(1);
    run.kill("SIGKILL");
    await run.exited;
  }

  /** Kills it a while after it has begun to write to a stream; time alone seldom hits that on a busy machine. */
  async killedWriting(line: string, stream: string, afterMs: number): Promise<void> {
    const before = await this.lastSeq(stream);
    const run = this.start(line);
    while (run.isRunning && (await this.lastSeq(stream)) === before) await sleep(1);
    await sleep(afterMs);
    run.kill("SIGKILL");
    await run.exited;
  }

  /** 0 where there is no such stream. */
  lastSeq(stream: string): Promise<number> {
    return this.client.jsm.streams.info(stream).then(
      ({ state }) => state.last_seq,
      () => 0,
    );
  }

  exists(stream: string): Promise<boolean> {
    return this.client.jsm.streams.info(stream).then(
      () => true,
      () => false,
    );
  }

  /** A bucket of these entries and no others. */
  async fillBucket(bucket: string, count: number, value: string, keyOf: (i: number) => string): Promise<void> {
    await this.client.jsm.streams.delete(`KV_${bucket}`).catch(() => false);
    await ensureBucket(this.client, bucket);
    const writer = new EntryWriter(this.client, bucket);
    for (let i = 0; i < count; i++) {
      const bytes = `{"v":"${value}","n":${i},"z":"${noise(i)}"}`;
      const provenance = { run: "r", epoch: 1, lastSeq: i, events: 1, sha256: hash("sha256", bytes) };
      await writer.put(keyOf(i), bytes, provenance, 0);
    }
    await writer.flush();
  }

  /** A stream of events of domain `shop`. */
  async fillStream(stream: string, count: number, paddingBytes = 300): Promise<void> {
    const word = stream.toLowerCase();
    const num_replicas = this.#cluster?.servers.size ?? 1;
    await this.client.jsm.streams.add({ name: stream, subjects: [`${word}.>`], num_replicas });
    const padding = "0".repeat(paddingBytes);
    const messages = function* () {
      for (let i = 0; i < count; i++) {
        yield { subject: `${word}.shop.a${i % 99}.Moved`, data: Buffer.from(`{"n":${i},"z":"${padding}"}`) };
      }
    };
    await publishAll(this.client, { stream, messages: messages() });
  }

  async bucketText(bucket: string): Promise<string> {
    const lines: string[] = [];
    for await (const batch of readEntries(this.client, bucket, ">")) {
      for (const { key, value } of batch) lines.push(`${key} ${Buffer.from(value)}`);
    }
    return lines.sort().join("\n");
  }

  async streamText(stream: string): Promise<string> {
    const lines: string[] = [];
    for await (const { subject, data } of readAllMessages(this.client, stream)) {
      lines.push(`${subject} ${Buffer.from(data)}`);
    }
    return lines.join("\n");
  }
}

/** 384 characters that no compression makes much of, so that an archive is large enough for a kill to find its middle. */
function noise(i: number): string {
  return Array.from({ length: 6 }, (_, part) => hash("sha256", `${i} ${part}`)).join("");
}
