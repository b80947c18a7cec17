import { Kvm } from "@nats-io/kv";
import { consumeAndFold, entryText } from "./consume-and-fold.ts";
import { runTask } from "./run-task.ts";

const PUTS_AT_ONCE = 1_000;

/** All events folded in memory first, then one `kv.put` for each aggregate, a thousand of them at a time. */
await runTask(async (client, task) => {
  const states = new Map<string, unknown>();
  for await (const { aggregateId, state } of consumeAndFold(client, task)) states.set(aggregateId, state);
  const bucket = await new Kvm(client.js).create(task.bucket);
  let puts: Promise<number>[] = [];
  for (const [aggregateId, state] of states) {
    puts.push(bucket.put(`graph.${aggregateId}`, entryText(state)));
    if (puts.length < PUTS_AT_ONCE) continue;
    await Promise.all(puts);
    puts = [];
  }
  await Promise.all(puts);
});
