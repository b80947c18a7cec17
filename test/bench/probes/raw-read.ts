import { randomUUID } from "node:crypto";
import type { NatsClient } from "@cim-replay/nats";
import type { ProbeTask } from "../probe-task.ts";
import { runTask } from "./run-task.ts";

const MESSAGES_A_PULL = 5_000;
const PULLS_IN_FLIGHT = 3;

/** The ceiling: all messages through the client library as fast as it takes them, and nothing done with them. */
async function readAll(client: NatsClient, { stream, events }: ProbeTask): Promise<void> {
  const consumer = await createConsumer(client, stream);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const inbox = `_INBOX.${randomUUID()}`;
  const pull = () =>
    client.nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, `{"batch":${MESSAGES_A_PULL}}`, {
      reply: inbox,
    });
  let received = 0;
  const subscription = client.nc.subscribe(inbox, {
    callback(error, message) {
      if (error) return reject(error);
      // Only statuses, such as a refused request, have no reply subject.
      if (!message.reply) return reject(new Error(`status ${message.headers?.code} ${message.headers?.description}`));
      received++;
      if (received === events) resolve();
      else if (received % MESSAGES_A_PULL === 0) pull();
    },
  });
  for (let pulls = 0; pulls < PULLS_IN_FLIGHT; pulls++) pull();
  await promise;
  subscription.unsubscribe();
  await client.jsm.consumers.delete(stream, consumer);
}

async function createConsumer(client: NatsClient, stream: string): Promise<string> {
  const config = { ack_policy: "none", deliver_policy: "all", mem_storage: true, inactive_threshold: 60e9 };
  const request = JSON.stringify({ stream_name: stream, config });
  const answer = await client.nc.request(`$JS.API.CONSUMER.CREATE.${stream}`, request, { timeout: 10_000 });
  const { name, error } = answer.json<{ name?: string; error?: { description: string } }>();
  if (name === undefined) throw new Error(`Cannot read stream ${stream}: ${error?.description}.`);
  return name;
}

await runTask(readAll);
