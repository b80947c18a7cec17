import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { RunRecord, UnitRecord } from "@cim-replay/core";
import {
  connectNats,
  Ledger,
  type NatsClient,
  readEntries,
  readHeads,
  streamFacts,
  subjectCounts,
} from "@cim-replay/nats";
import {
  type NatsCluster,
  type RedisHandle,
  readAllMessages,
  referenceFold,
  type ServerHandle,
  type PartableCluster,
  startNatsCluster,
  startPartableCluster,
  startRedis,
  startServerPair,
  uniqueName,
} from "@cim-replay/testkit";
import slowProjection from "../faults/slow-projection.ts";
import { processesMarked } from "./marked-processes.ts";
import { ReplayProcess } from "./replay-process.ts";
import { until } from "./until.ts";

const PROJECTION = fileURLToPath(new URL("../faults/slow-projection.ts", import.meta.url));
/** Where slices are kept that are packed. */
export const SEGMENTS = "CIM_REPLAY_SEGMENTS";
const PUBLISHED_AT_ONCE = 2_000;

export interface FaultStageOptions {
  readonly events?: number;
  readonly aggregates?: number;
  /** Of each event's fold, and of each entry's encoding, in every process. */
  readonly eventMicros?: number;
  readonly entryMicros?: number;
  /** Of the queue's locks; short where a test waits for one to run out. */
  readonly lockDuration?: string;
  /** Three servers of NATS that replicate each other's streams, instead of one; `"partable"`: whose network can be cut. */
  readonly clustered?: boolean | "partable";
}

/** First sequence that each claim of a unit read from, by what workers log. `units`: a pattern of their ids. */
export function claimsFrom(log: string, units = "\\w+"): number[] {
  const line = new RegExp(`"unit":"${units}","epoch":\\d+,"fromSeq":(\\d+),"msg":"unit claimed"`, "g");
  return [...log.matchAll(line)].map(([, seq]) => Number(seq));
}

interface Servers {
  readonly nats: ServerHandle;
  readonly cluster: NatsCluster | PartableCluster | null;
  readonly natsUrl: string;
  readonly redis: RedisHandle;
}

async function startPair(): Promise<Servers> {
  const { nats, redis } = await startServerPair();
  return { nats, redis, cluster: null, natsUrl: nats.url };
}

async function startCluster(isPartable: boolean): Promise<Servers> {
  const [cluster, redis] = await Promise.all([isPartable ? startPartableCluster() : startNatsCluster(), startRedis()]);
  const [nats] = cluster.servers.values();
  if (!nats) throw new Error("no server");
  return { nats, cluster, natsUrl: cluster.url, redis };
}

/** Servers, an EVENTS stream of domain `shop`, and the built commands as processes that can be broken one by one. */
export class FaultStage {
  /** With a cluster its first. */
  readonly nats: ServerHandle;
  readonly cluster: NatsCluster | PartableCluster | null;
  readonly redis: RedisHandle;
  readonly client: NatsClient;
  readonly ledger: Ledger;
  /** The single-threaded fold of what was published before the first run, by entry key. */
  expected: ReadonlyMap<string, string> = new Map();
  /** Of the processes that are started from now on. */
  moreEnv: NodeJS.ProcessEnv = {};
  /** Folder of the commands. */
  readonly cwd: string;
  readonly #marker = uniqueName("FAULTS");
  readonly #env: NodeJS.ProcessEnv;
  readonly #processes: ReplayProcess[] = [];
  #published = 0;

  private constructor(parts: {
    servers: Servers;
    client: NatsClient;
    ledger: Ledger;
    cwd: string;
    options: FaultStageOptions;
  }) {
    const { servers, options } = parts;
    this.nats = servers.nats;
    this.cluster = servers.cluster;
    this.redis = servers.redis;
    this.client = parts.client;
    this.ledger = parts.ledger;
    this.cwd = parts.cwd;
    this.#env = {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      NATS_URL: servers.natsUrl,
      REDIS_URL: servers.redis.url,
      CIM_REPLAY_METRICS_PORT: "off",
      CIM_REPLAY_BACKUP_DIR: join(parts.cwd, "backups"),
      CIM_REPLAY_LOG_LEVEL: "info",
      CIM_REPLAY_LOCK_DURATION: options.lockDuration ?? "4s",
      FAULTS_MARKER: this.#marker,
      FAULTS_EVENT_MICROS: String(options.eventMicros ?? 700),
      FAULTS_ENTRY_MICROS: String(options.entryMicros ?? 0),
    };
  }

  static async open(options: FaultStageOptions = {}): Promise<FaultStage> {
    const servers = options.clustered ? await startCluster(options.clustered === "partable") : await startPair();
    const client = await connectNats({ url: servers.natsUrl, name: "fault-stage" });
    const ledger = await Ledger.open(client, { create: true });
    if (!ledger) throw new Error("no ledger");
    const cwd = await mkdtemp(join(tmpdir(), "cim-replay-faults-"));
    const stage = new FaultStage({ servers, client, ledger, cwd, options });
    await stage.createStream();
    await stage.publish(options.events ?? 3_000, options.aggregates ?? 200);
    stage.expected = await referenceFold(readAllMessages(client, "EVENTS"), slowProjection, { domain: "shop" });
    return stage;
  }

  async createStream(): Promise<void> {
    const num_replicas = this.cluster ? this.cluster.servers.size : 1;
    await this.client.jsm.streams.add({ name: "EVENTS", subjects: ["events.>"], num_replicas });
  }

  async publish(events: number, aggregates = 200): Promise<void> {
    for (let left = events; left > 0; left -= PUBLISHED_AT_ONCE) {
      const batch = Array.from({ length: Math.min(left, PUBLISHED_AT_ONCE) }, () => this.#publishOne(aggregates));
      await Promise.all(batch);
    }
  }

  /**
   * `domain-replay` of the whole domain with one unit, one local worker, and a checkpoint every 400 events. What it
   * survives must also satisfy the verifier: the workers' digests against a reading of its own.
   */
  replay(...args: string[]): ReplayProcess {
    const pace = ["--units", "1", "--batch-size", "50", "--prefetch", "1000", "--checkpoint-interval", "400"];
    pace.push("--certify", "content");
    return this.start("domain-replay", ["--domain", "shop", "--projection", PROJECTION, ...pace, ...args]);
  }

  /** The same with events shuffled: four slices, each packed at a few hundred events a second until `hurry`. */
  shuffle(...args: string[]): ReplayProcess {
    return this.replay("--source", "shuffle", "--max-rate", "1000", ...args);
  }

  /** What slowed slices down does so no more. */
  async hurry(): Promise<void> {
    const { id } = await this.run();
    await this.ledger.changeRun(id, (run) => ({ ...run, settings: { ...run.settings, maxRate: null } }));
  }

  /** Subjects of the segments that the server holds, of all runs. */
  async segments(): Promise<string[]> {
    if (!(await streamFacts(this.client, SEGMENTS))) return [];
    return [...(await subjectCounts(this.client, SEGMENTS, ">")).keys()].sort();
  }

  /** How many segments the slice units that are done say that they packed. */
  async packedSegments(): Promise<number> {
    const packed = (await this.units()).flatMap((unit) => unit.packed);
    return packed.reduce((sum, { segments }) => sum + segments, 0);
  }

  /** An external worker, once it takes units. */
  async worker(): Promise<ReplayProcess> {
    const worker = this.start("cim-replay", ["worker"]);
    await worker.says(/takes units/);
    return worker;
  }

  start(tool: string, args: readonly string[] = []): ReplayProcess {
    const started = new ReplayProcess(tool, args, { env: { ...this.#env, ...this.moreEnv }, cwd: this.cwd });
    this.#processes.push(started);
    return started;
  }

  /** The newest run, once there is one. */
  run(): Promise<RunRecord> {
    return until(
      async () => (await this.ledger.listRuns())[0],
      () => `a run. ${this.said}`,
    );
  }

  async units(): Promise<UnitRecord[]> {
    return (await this.ledger.listUnits((await this.run()).id)).map(({ record }) => record);
  }

  /** The first unit of the newest run that fits, as soon as one does. */
  unit(fits: (unit: UnitRecord) => boolean, withinMs?: number): Promise<UnitRecord> {
    return until(
      async () => (await this.units()).find(fits),
      () => `a unit with ${fits}. ${this.said}`,
      withinMs,
    );
  }

  /** Of local workers, in order of their start. */
  workerPids(): number[] {
    return this.processes()
      .filter(({ name }) => name === "cim-worker")
      .map(({ pid }) => pid);
  }

  processes(): { pid: number; name: string }[] {
    return processesMarked(this.#marker);
  }

  async entries(bucket = "CIM_PROJECTIONS"): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for await (const batch of readEntries(this.client, bucket, ">")) {
      for (const { key, value } of batch) found.set(key, Buffer.from(value).toString("utf8"));
    }
    return found;
  }

  /** Revision, epoch and run of each entry, by key. */
  async provenances(): Promise<Map<string, { revision: number; epoch: number; run: string }>> {
    const found = new Map<string, { revision: number; epoch: number; run: string }>();
    for await (const batch of readHeads(this.client, "CIM_PROJECTIONS", ">")) {
      for (const { key, revision, provenance } of batch) {
        found.set(key, { revision, epoch: provenance?.epoch ?? 0, run: provenance?.run ?? "" });
      }
    }
    return found;
  }

  /** What all processes said, for a failing test's message. */
  get said(): string {
    return this.#processes.map(({ said }) => said).join("\n");
  }

  /** Ends everything; what runs then that nobody ended is an error. */
  async close(): Promise<void> {
    for (const { pid } of this.processes()) process.kill(pid, "SIGCONT");
    for (const started of this.#processes) if (started.isRunning) started.kill("SIGKILL");
    await Promise.all(this.#processes.map(({ exited }) => exited));
    // Local workers notice within a moment that their parent is gone.
    const left = await until(() => (this.processes().length === 0 ? [] : null), "no process to be left", 10_000).catch(
      () => this.processes(),
    );
    for (const { pid } of left) process.kill(pid, "SIGKILL");
    await this.client.close();
    await Promise.all([
      this.cluster?.stop() ?? this.nats.stop(),
      this.redis.stop(),
      rm(this.cwd, { recursive: true, force: true }),
    ]);
    if (left.length > 0) throw new Error(`left running: ${left.map(({ pid, name }) => `${pid} ${name}`).join(", ")}`);
  }

  #publishOne(aggregates: number) {
    const n = this.#published++;
    // A third of all events to a few aggregates, the rest evenly.
    const id = `a${n % 3 === 0 ? (n / 3) % 5 : (n * 7) % aggregates}`;
    const type = ["Added", "Moved", "Removed"][(n % 7) % 3] ?? "Added";
    const timestamp = new Date(1_700_000_000_000 + n * 1000).toISOString();
    const event = { event_id: `e${n}`, aggregate_id: id, event_type: type, payload: { n }, timestamp };
    // In a cluster it takes a moment until every server knows that somebody listens there.
    return this.client.js.publish(`events.shop.${id}.${type}`, JSON.stringify(event), { retries: 20 });
  }
}
