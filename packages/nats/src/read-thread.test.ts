import type { StreamMessage } from "@cim-replay/core";
import { freePort, type ServerHandle, startNats, uniqueName, Wire } from "@cim-replay/testkit";
import { headers, type Msg } from "nats";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packBatch, transferList, unpackBatch } from "./batch-transfer.ts";
import { connectNats, type NatsClient } from "./connect.ts";
import { factsOf, fillStream, makeStream, numbers, optionsFor, readSequences, when } from "./reader-fixture.ts";
import { DeliveredMessage } from "./reader-message.ts";
import { ReadThread } from "./read-thread.ts";
import { readStream } from "./reader.ts";

const COUNT = 20_000;
let server: ServerHandle;
let client: NatsClient;
let monitorPort: number;

beforeAll(async () => {
  monitorPort = await freePort();
  server = await startNats({ config: `http: "127.0.0.1:${monitorPort}"` });
  client = await connectNats({ url: server.url, name: "read-thread-test" });
});

afterAll(async () => {
  await client.close();
  await server.stop();
});

async function filled(): Promise<string> {
  const stream = uniqueName("THREAD");
  await makeStream(client, stream);
  await fillStream(client, stream, COUNT);
  return stream;
}

async function withThread(url: string, work: (thread: ReadThread) => Promise<void>): Promise<void> {
  const thread = new ReadThread(client, { url, name: "read-thread-test" });
  try {
    await work(thread);
  } finally {
    await thread.close();
  }
}

/** One whose way to the server can be cut, while the client's stands. */
async function withWiredThread(work: (thread: ReadThread, wire: Wire) => Promise<void>): Promise<void> {
  const wire = await Wire.lay(Number(new URL(server.url).port));
  try {
    await withThread(`nats://127.0.0.1:${wire.port}`, (thread) => work(thread, wire));
  } finally {
    await wire.close();
  }
}

/** All sequences, and what was said of recoveries. */
async function readBy(thread: ReadThread, stream: string, onBatch?: (read: number) => unknown) {
  const said: string[] = [];
  const options = optionsFor(await factsOf(client, stream), {
    ...{ maxMessages: 1_000, noProgressMs: 500 },
    onRecovered: (what) => said.push(what),
  });
  const sequences = await readSequences((_, each) => thread.read(each), client, options, onBatch);
  return { sequences, said };
}

async function readConnections(): Promise<number> {
  const { connections } = (await (await fetch(`http://127.0.0.1:${monitorPort}/connz`)).json()) as {
    connections: { name: string }[];
  };
  return connections.filter(({ name }) => name === "read-thread-test, reading").length;
}

function everythingOf({ seq, subject, receivedAtMs, receivedAtNs, data, headerPairs, asciiText, raw }: StreamMessage) {
  return {
    ...{ seq, subject, receivedAtMs, receivedAtNs, headerPairs, asciiText },
    data: Buffer.from(data).toString("hex"),
    headersEnd: raw && raw.payloadAt - raw.headersAt,
  };
}

describe("a thread that reads", () => {
  test("reads by a connection of its own, which goes when it is closed", async () => {
    const stream = await filled();
    await withThread(server.url, async (thread) => {
      const connections: number[] = [];
      const count = async () => void connections.push(await readConnections());
      const { sequences, said } = await readBy(thread, stream, count);
      expect(sequences).toEqual(numbers(1, COUNT));
      expect(said).toEqual([]);
      expect(new Set(connections)).toEqual(new Set([1]));
    });
    await expect.poll(readConnections).toBe(0);
    expect((await client.jsm.streams.info(stream)).state.consumer_count).toBe(0);
  });

  test("reads several streams at a time", async () => {
    const streams = await Promise.all([filled(), filled(), filled()]);
    await withThread(server.url, async (thread) => {
      const reads = await Promise.all(streams.map((stream) => readBy(thread, stream)));
      for (const { sequences, said } of reads)
        expect({ sequences, said }).toEqual({ sequences: numbers(1, COUNT), said: [] });
    });
  });

  test("gives messages as a read without it does, whatever they hold", async () => {
    const stream = uniqueName("THREAD");
    await makeStream(client, stream);
    const tags = headers();
    tags.append("X-Tag", "one");
    tags.append("X-Tag", "zwö");
    for (const payload of ["", "plain", "pläin", "x".repeat(200_000), Uint8Array.from([0x81, 0xff, 0])]) {
      await client.js.publish(`${stream}.a`, payload);
      await client.js.publish(`${stream}.ä.b`, payload, { headers: tags });
    }
    const facts = await factsOf(client, stream);
    const read = async (batches: AsyncIterable<readonly StreamMessage[]>) => {
      const messages = [];
      for await (const batch of batches) messages.push(...batch.map(everythingOf));
      return messages;
    };
    const expected = await read(readStream(client, optionsFor(facts)));
    expect(expected).toHaveLength(10);
    await withThread(server.url, async (thread) => {
      expect(await read(thread.read(optionsFor(facts)))).toEqual(expected);
    });
  });

  test("that is closed in the middle: the read goes on without it, each sequence once", async () => {
    const stream = await filled();
    await withThread(server.url, async (thread) => {
      const { sequences, said } = await readBy(thread, stream, (read) => read > COUNT / 2 && thread.close());
      expect(sequences).toEqual(numbers(1, COUNT));
      expect(said).toEqual([
        expect.stringMatching(/after sequence \d+ of stream .* without a thread of its own: it was/),
      ]);
      expect(thread.isAlive).toBe(false);
    });
  });

  test("that cannot connect: the read goes on without it, and says why", async () => {
    const stream = await filled();
    await withThread("nats://127.0.0.1:1", async (thread) => {
      const { sequences, said } = await readBy(thread, stream);
      expect(sequences).toEqual(numbers(1, COUNT));
      expect(said).toEqual([expect.stringMatching(/without a thread of its own: Cannot reach NATS at .*127.0.0.1:1/)]);
    });
  });

  test("whose connection is cut: it reads on by another one", async () => {
    const stream = await filled();
    await withWiredThread(async (thread, wire) => {
      const cut = when(COUNT / 2, () => wire.cut());
      const { sequences, said } = await readBy(thread, stream, cut);
      expect(sequences).toEqual(numbers(1, COUNT));
      expect(said).toEqual([expect.stringMatching(/after sequence \d+ of stream .*: the connection dropped/)]);
    });
  });

  test("whose connection goes dead for good, and the worker's does not: the read goes on without it", async () => {
    const stream = await filled();
    await withWiredThread(async (thread, wire) => {
      const goDead = when(COUNT / 2, () => wire.die());
      const { sequences, said } = await readBy(thread, stream, goDead);
      expect(sequences).toEqual(numbers(1, COUNT));
      expect(said.at(-1)).toMatch(/without a thread of its own: Cannot /);
      expect(thread.isAlive).toBe(false);
    });
  });

  test("that is closed after a purge took what it had jumped over: the read says so as one without it does", async () => {
    const stream = await filled();
    const filterSubjects = [`${stream}.0`];
    await withThread(server.url, async (thread) => {
      const options = optionsFor(await factsOf(client, stream), {
        filterSubjects,
        maxMessages: 100,
        noProgressMs: 500,
      });
      const batches = thread.read(options);
      await batches.next();
      await client.jsm.streams.purge(stream, { seq: COUNT / 4 });
      await thread.close();
      const rest = (async () => {
        for await (const _ of batches);
      })();
      await expect(rest).rejects.toThrow(/it begins at sequence \d+, and \d+ was still to be read: it was purged/);
    });
  });

  test("whose connection goes dead for a while, and the worker's does not", async () => {
    const stream = await filled();
    await withWiredThread(async (thread, wire) => {
      const goDead = when(COUNT / 2, () => {
        wire.die();
        setTimeout(() => wire.revive(), 1_500);
      });
      const { sequences, said } = await readBy(thread, stream, goDead);
      expect(sequences).toEqual(numbers(1, COUNT));
      expect(said.join()).not.toContain("without a thread");
    });
  });
});

describe("what the server refuses a thread's connection", () => {
  test("is known to the worker's own", async () => {
    const users =
      'users: [{ user: u, password: p, permissions: { publish: { deny: ["$JS.API.CONSUMER.DELETE.>"] } } }]';
    const strict = await startNats({ config: `authorization { ${users} }` });
    const own = await connectNats({ url: strict.url.replace("//", "//u:p@"), name: "test" });
    const thread = new ReadThread(own, { url: strict.url.replace("//", "//u:p@"), name: "test" });
    try {
      await makeStream(own, "S");
      await fillStream(own, "S", 100);
      const options = optionsFor(await factsOf(own, "S"));
      expect(await readSequences((_, each) => thread.read(each), own, options)).toEqual(numbers(1, 100));
      const refusal = () => {
        try {
          own.denials.throwIfAny("read");
        } catch (error) {
          return String(error);
        }
      };
      await expect.poll(refusal, { timeout: 5_000 }).toMatch(/publish to \$JS\.API\.CONSUMER\.DELETE\.S\./);
    } finally {
      await thread.close();
      await own.close();
      await strict.stop();
    }
  });
});

describe("a batch on its way to another thread", () => {
  test("is none where a message lies in no chunk", () => {
    const delivered = new DeliveredMessage(1, { data: new Uint8Array(1) } as Msg);
    expect(packBatch([delivered])).toBeNull();
  });

  test("leaves behind what lies between its messages in a chunk", async () => {
    const stream = await filled();
    let [packedBytes, allBytes] = [0, 0];
    for await (const batch of readStream(client, optionsFor(await factsOf(client, stream)))) {
      const third = batch.filter((_, at) => at % 3 === 0);
      const packed = packBatch(third);
      if (packed === null) throw new Error("the batch came in no chunk");
      expect(unpackBatch(packed).map(everythingOf)).toEqual(third.map(everythingOf));
      packedBytes += packed.bytes;
      allBytes += packBatch(batch)?.bytes ?? 0;
    }
    expect(packedBytes).toBeLessThan(allBytes / 2);
  });

  test("is taken out of the chunks: they stay as they were, and hold what they held", async () => {
    const stream = await filled();
    for await (const batch of readStream(client, optionsFor(await factsOf(client, stream)))) {
      const before = batch.map(everythingOf);
      const packed = packBatch(batch);
      if (packed === null) throw new Error("the batch came in no chunk");
      const sent = structuredClone(packed, { transfer: transferList(packed) });
      expect(unpackBatch(sent).map(everythingOf)).toEqual(before);
      expect(batch.map(everythingOf)).toEqual(before);
      expect(packed.places).toHaveLength(0);
    }
  });
});
