import { Ledger, type NatsClient, publishAll, streamFacts } from "@cim-replay/nats";

/** Publishes a graph event of each of these ids to `{stream}.graph.{id}.GraphUpdated`; makes the stream where it is missing. */
export async function publishGraphs(client: NatsClient, stream: string, ids: Iterable<string>): Promise<void> {
  if ((await streamFacts(client, stream)) === null) {
    await client.jsm.streams.add({ name: stream, subjects: [`${stream}.>`] });
  }
  const messages = [...ids].map((id, i) => ({
    subject: `${stream}.graph.${id}.GraphUpdated`,
    data: Buffer.from(
      JSON.stringify({ aggregate_id: id, payload: { name: `${i}` }, timestamp: "2026-01-01T00:00:00Z" }),
    ),
  }));
  await publishAll(client, { stream, messages });
}

export async function openLedger(client: NatsClient): Promise<Ledger> {
  const ledger = await Ledger.open(client, { create: true });
  if (!ledger) throw new Error("no ledger");
  return ledger;
}
