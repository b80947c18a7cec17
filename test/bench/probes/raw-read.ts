import type { NatsClient } from "@cim-replay/nats";
import { AckPolicy } from "@nats-io/jetstream";
import { createInbox, nanos } from "nats";
import type { ProbeTask } from "../probe-task.ts";
import { runTask } from "./run-task.ts";

const MESSAGES_A_PULL = 5_000;
const PULLS_IN_FLIGHT = 3;
const IDLE_MS = 60_000;

/** The ceiling: all messages through the client library as fast as it takes them, and nothing done with them. */
async function readAll({ nc, jsm }: NatsClient, { stream, events }: ProbeTask): Promise<undefined> {
  const consumer = await jsm.consumers.add(stream, {
    ack_policy: AckPolicy.None,
    mem_storage: true,
    inactive_threshold: nanos(IDLE_MS),
  });
  const inbox = createInbox();
  const request = JSON.stringify({ batch: MESSAGES_A_PULL });
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
      else if (received % MESSAGES_A_PULL === 0) pull();
    },
  });
  for (let pulls = 0; pulls < PULLS_IN_FLIGHT; pulls++) pull();
  await promise;
  subscription.unsubscribe();
  await jsm.consumers.delete(stream, consumer.name);
}

await runTask(readAll);
