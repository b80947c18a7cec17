import type { NatsClient } from "@cim-replay/nats";
import { AckPolicy } from "@nats-io/jetstream";
import { createInbox, nanos } from "nats";
import type { ProbeTask } from "../probe-task.ts";
import { runTask } from "./run-task.ts";

const MESSAGES_A_PULL = 5_000;
const PULLS_IN_FLIGHT = 3;
/** The server cuts off a client for which 64 MB wait. */
const BYTES_IN_FLIGHT = 24 * 1024 * 1024;
const IDLE_MS = 60_000;

/** The ceiling: all messages through the client library as fast as it takes them, and nothing done with them. */
async function readAll({ nc, jsm }: NatsClient, { stream, events, eventBytes }: ProbeTask): Promise<undefined> {
  const consumer = await jsm.consumers.add(stream, {
    ack_policy: AckPolicy.None,
    mem_storage: true,
    inactive_threshold: nanos(IDLE_MS),
  });
  const inbox = createInbox();
  const batch = Math.min(MESSAGES_A_PULL, Math.floor(BYTES_IN_FLIGHT / PULLS_IN_FLIGHT / eventBytes));
  const request = JSON.stringify({ batch });
  const pull = () => nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer.name}`, request, { reply: inbox });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let received = 0;
  const subscription = nc.subscribe(inbox, {
    callback(error, message) {
      if (error) return reject(error);
      // Only statuses, such as a refused request, have no reply subject.
      if (!message.reply) return reject(new Error(`status ${message.headers?.code} ${message.headers?.description}`));
      received++;
      if (received === events) resolve();
      else if (received % batch === 0) pull();
    },
  });
  for (let pulls = 0; pulls < PULLS_IN_FLIGHT; pulls++) pull();
  await promise;
  subscription.unsubscribe();
  await jsm.consumers.delete(stream, consumer.name);
}

await runTask(readAll);
