import type { NatsClient } from "@cim-replay/nats";
import { generateEvents, publishEvents } from "@cim-replay/testkit";

const DOMAINS = ["graph", "workflow", "person"];

export interface Sample {
  /** One of the graphs. */
  readonly aggregateId: string;
  /** The time of an event in the middle: there are some on both sides of it. */
  readonly halfway: string;
}

/** A stream EVENTS of three domains. */
export async function publishSample(client: NatsClient, events: number): Promise<Sample> {
  const sample = [...generateEvents({ domains: DOMAINS, events, aggregates: 90, skew: 0.8, seed: 3 })];
  await client.jsm.streams.add({ name: "EVENTS", subjects: ["events.>"] });
  await publishEvents(client, { stream: "EVENTS", events: sample });
  const graph = sample.find(({ subject }) => subject.startsWith("events.graph."));
  const aggregateId = graph?.subject.split(".")[2] ?? "";
  return { aggregateId, halfway: timeOf(sample[Math.floor(events / 2)]?.data) };
}

/** An event of domain workflow that is no JSON. */
export async function publishBroken(client: NatsClient): Promise<void> {
  await client.js.publish("events.workflow.broken.WorkflowCreated", "{ no JSON");
}

function timeOf(data: Uint8Array | undefined): string {
  const { timestamp } = JSON.parse(new TextDecoder().decode(data)) as { timestamp: string };
  return timestamp;
}
