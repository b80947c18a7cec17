import { once } from "node:events";
import type { NatsClient } from "@cim-replay/nats";
import { Kvm } from "@nats-io/kv";
import { type JobsOptions, Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import type { OwnFigures, ProbeTask } from "../probe-task.ts";
import { entryText, type FlatEnvelope, flatProjection, replayEvent } from "../probes/consume-and-fold.ts";
import { runTask } from "../probes/run-task.ts";

const MESSAGES_A_BULK = 1_000;
/** An aggregate's events must be folded in their order, and a queue with several at a time does not keep it. */
const CONCURRENCY = 1;
const REMOVED: JobsOptions = { removeOnComplete: true };

/**
 * What a work queue invites to: a job for each event, which carries it. The worker folds in memory and entries are put
 * once, at the end, so that only the queue is dear here.
 */
async function jobPerEvent(client: NatsClient, task: ProbeTask): Promise<OwnFigures | undefined> {
  const { host, port } = addressOf(task.redisUrl);
  const connection = new Redis({ host, port, maxRetriesPerRequest: null });
  const name = task.bucket;
  const queue = new Queue<FlatEnvelope>(name, { connection });
  const projection = flatProjection();
  const states = new Map<string, unknown>();
  const done = Promise.withResolvers<void>();
  let folded = 0;
  const fold = async ({ data }: { data: FlatEnvelope }) => {
    const before = states.get(data.aggregate_id) ?? projection.initial(data.aggregate_id);
    states.set(data.aggregate_id, projection.evolve(before, replayEvent(data, data.sequence)));
    if (++folded === task.events) done.resolve();
  };
  const worker = new Worker<FlatEnvelope>(name, fold, { connection, concurrency: CONCURRENCY });
  worker.on("error", done.reject);
  await enqueue(client, task, queue);
  await done.promise;
  await putAll(client, task.bucket, states);
  await worker.close();
  await queue.obliterate({ force: true });
  await queue.close();
  await end(connection);
  return undefined;
}

async function enqueue(client: NatsClient, { stream, events }: ProbeTask, queue: Queue<FlatEnvelope>): Promise<void> {
  const consumer = await client.js.consumers.get(stream);
  const messages = await consumer.consume({ max_messages: MESSAGES_A_BULK * 2 });
  let jobs: { name: string; data: FlatEnvelope; opts: JobsOptions }[] = [];
  let received = 0;
  for await (const message of messages) {
    jobs.push({ name: "event", data: message.json<FlatEnvelope>(), opts: REMOVED });
    const isLast = ++received === events;
    if (jobs.length === MESSAGES_A_BULK || isLast) {
      await queue.addBulk(jobs);
      jobs = [];
    }
    if (isLast) break;
  }
}

async function putAll(client: NatsClient, bucket: string, states: ReadonlyMap<string, unknown>): Promise<void> {
  const entries = await new Kvm(client.js).create(bucket);
  await Promise.all([...states].map(([id, state]) => entries.put(`graph.${id}`, entryText(state))));
}

function addressOf(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}

async function end(connection: Redis): Promise<void> {
  if (connection.status === "end") return;
  const ended = once(connection, "end");
  connection.disconnect();
  await ended;
}

await runTask(jobPerEvent);
