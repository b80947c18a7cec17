import { Kvm } from "@nats-io/kv";
import { consumeAndFold, entryText } from "./consume-and-fold.ts";
import { runTask } from "./run-task.ts";

/** A live projection's loop used for a replay: the entry is put after every event. */
await runTask(async (client, task) => {
  const bucket = await new Kvm(client.js).create(task.bucket);
  for await (const { aggregateId, state } of consumeAndFold(client, task)) {
    await bucket.put(`graph.${aggregateId}`, entryText(state));
  }
});
