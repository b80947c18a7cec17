import { hash } from "node:crypto";
import { UsageError } from "@cim-replay/core";
import { freePort, type ServerHandle, startNats, uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectNats, type NatsClient } from "./connect.ts";
import { ensureBucket } from "./entries.ts";
import { readEntries } from "./entry-read.ts";
import { EntryWriter } from "./entry-writer.ts";
import { publishAll } from "./publish-all.ts";
import { ReadThread } from "./read-thread.ts";
import type { readStream } from "./reader.ts";
import { closeReaders, factsOf, numbers, optionsFor, READERS, readSequences, when } from "./reader-fixture.ts";

const COUNT = 30_000;
let server: ServerHandle;
let url: string;
let client: NatsClient;

beforeAll(async () => {
  const port = await freePort();
  server = await startNats({
    config: `websocket { listen: "127.0.0.1:${port}", no_tls: true }
authorization { user: ann, password: "s3cret" }`,
  });
  url = `ws://ann:s3cret@127.0.0.1:${port}`;
  client = await connectNats({ url, name: "websocket-test" });
});

afterAll(async () => {
  await closeReaders();
  await client.close();
  await server.stop();
});

/** A stream of that many events, published over the WebSocket. */
async function filled(): Promise<string> {
  const stream = uniqueName("WS");
  await client.jsm.streams.add({ name: stream, subjects: [`${stream}.>`] });
  const messages = function* () {
    for (let i = 0; i < COUNT; i++) yield { subject: `${stream}.${i % 10}`, data: Buffer.from(`{"n":${i}}`) };
  };
  await publishAll(client, { stream, messages: messages() });
  return stream;
}

describe("over a WebSocket", () => {
  test.each(Object.entries(READERS).slice(0, 2))("a stream is read with %s, each sequence once", async (_, read) => {
    const facts = await factsOf(client, await filled());
    const said: string[] = [];
    const options = optionsFor(facts, { onRecovered: (what) => said.push(what), onLibrary: (why) => said.push(why) });
    expect(await readSequences(read, client, options)).toEqual(numbers(1, COUNT));
    expect(said).toEqual([]);
  });

  test("a stream is read on a thread of its own", async () => {
    const facts = await factsOf(client, await filled());
    const thread = new ReadThread(client, { url, name: "websocket-test" });
    try {
      const options = optionsFor(facts, { onRecovered: (what) => expect.fail(what) });
      const read: typeof readStream = (_, each) => thread.read(each);
      expect(await readSequences(read, client, options)).toEqual(numbers(1, COUNT));
    } finally {
      await thread.close();
    }
  });

  test("a stream is read on after kill -9 and restart of the server", async () => {
    const facts = await factsOf(client, await filled());
    for (const read of Object.values(READERS).slice(0, 2)) {
      let kills = 0;
      const kill = when(COUNT / 3, async () => {
        kills += 1;
        await server.kill();
        await server.restart();
      });
      const sequences = await readSequences(read, client, optionsFor(facts, { maxMessages: 1_000 }), kill);
      expect(sequences).toEqual(numbers(1, COUNT));
      expect(kills).toBe(1);
    }
  });

  test("entries are written and read back", async () => {
    await ensureBucket(client, "WS");
    const writer = new EntryWriter(client, "WS");
    for (let i = 0; i < 5_000; i++) {
      const bytes = `{"n":${i}}`;
      const provenance = { run: "r", epoch: 1, lastSeq: i, events: 1, sha256: hash("sha256", bytes) };
      await writer.put(`shop.a${i}`, bytes, provenance, 0);
    }
    await writer.flush();
    const found = new Map<string, string>();
    for await (const batch of readEntries(client, "WS", ">")) {
      for (const { key, value } of batch) found.set(key, Buffer.from(value).toString());
    }
    expect(found.size).toBe(5_000);
    expect(found.get("shop.a4321")).toBe('{"n":4321}');
  });

  test("whoever is refused, or finds nobody, is told so as with any other URL", async () => {
    const wrong = new URL(url);
    wrong.password = "wrong";
    await expect(connectNats({ url: wrong.href, name: "test" })).rejects.toThrow(
      `Cannot reach NATS at ws://${wrong.host}: it refuses the credentials.`,
    );
    await expect(connectNats({ url: "ws://127.0.0.1:1", name: "test" })).rejects.toThrow(
      "Cannot reach NATS at ws://127.0.0.1:1: ",
    );
  });

  test("certificates of one's own cannot be given, and the message says what can", async () => {
    const attempt = connectNats({ url: "wss://127.0.0.1:1", name: "test", login: { ca: "/dev/null" } });
    await expect(attempt).rejects.toThrow(UsageError);
    await expect(attempt).rejects.toThrow(/NODE_EXTRA_CA_CERTS/);
  });
});
