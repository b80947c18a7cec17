import { connectNats, deleteEntry, readHeads, streamFacts } from "@cim-replay/nats";

/** Stands in for NATS' own command line tool: `stream info NAME -j` and `kv del BUCKET KEY`, and nothing else. */
const [url = "", area, action, name = "", key = ""] = process.argv.slice(2);
const client = await connectNats({ url, name: "nats" });
try {
  if (area === "stream" && action === "info") await streamInfo(name);
  else if (area === "kv" && action === "del") await deleteKey(name, key);
  else throw new Error(`unknown command: ${process.argv.slice(3).join(" ")}`);
} catch (error) {
  console.error(`nats: error: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  await client.close();
}

async function streamInfo(name: string): Promise<void> {
  const facts = await streamFacts(client, name);
  if (!facts) throw new Error(`there is no stream ${name}`);
  const { messages, firstSeq, lastSeq } = facts;
  console.log(JSON.stringify({ config: { name }, state: { messages, first_seq: firstSeq, last_seq: lastSeq } }));
}

async function deleteKey(bucket: string, key: string): Promise<void> {
  for await (const heads of readHeads(client, bucket, key)) {
    for (const { revision } of heads) await deleteEntry(client, bucket, key, revision);
  }
}
