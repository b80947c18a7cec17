import { SourceChangedError, UnreachableError } from "@cim-replay/core";
import { type ServerHandle, startNats, uniqueName } from "@cim-replay/testkit";
import { headers } from "nats";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectNats, type NatsClient } from "./connect.ts";
import { readSequential, type SequentialReadOptions } from "./read-sequential.ts";
import { factsOf, fillStream, makeStream, numbers } from "./reader-fixture.ts";
import type { StreamFacts } from "./stream-info.ts";

let server: ServerHandle;
let client: NatsClient;

beforeAll(async () => {
  server = await startNats();
  client = await connectNats({ url: server.url, name: "read-sequential-test" });
});
afterAll(async () => {
  await client.close();
  await server.stop();
});

function optionsFor(facts: StreamFacts, changes: Partial<SequentialReadOptions> = {}): SequentialReadOptions {
  return {
    stream: facts.name,
    created: facts.created,
    range: { fromSeq: facts.firstSeq, toSeq: facts.lastSeq },
    signal: new AbortController().signal,
    ...changes,
  };
}

async function filled(count: number, payload?: string): Promise<StreamFacts> {
  const name = uniqueName("S");
  await makeStream(client, name);
  await fillStream(client, name, count, payload);
  return factsOf(client, name);
}

async function sequences(
  options: SequentialReadOptions,
  onBatch: (read: number) => unknown = () => {},
): Promise<number[]> {
  const read: number[] = [];
  for await (const batch of readSequential(client, options)) {
    for (const { seq } of batch) read.push(seq);
    await onBatch(read.length);
  }
  return read;
}

/** Runs `fault` once, when about that many messages have been read. */
function when(count: number, fault: () => unknown): (read: number) => unknown {
  let done = false;
  return (read) => {
    if (done || read < count) return undefined;
    done = true;
    return fault();
  };
}

function consumersOf(stream: string): Promise<number> {
  return client.jsm.streams.info(stream).then(({ state }) => state.consumer_count);
}

describe("what it delivers", () => {
  test("every message of the range once and in order, and no consumer stays behind", async () => {
    const facts = await filled(30_000);
    expect(await sequences(optionsFor(facts))).toEqual(numbers(1, 30_000));
    expect(await sequences(optionsFor(facts, { range: { fromSeq: 11, toSeq: 4_711 } }))).toEqual(numbers(11, 4_711));
    expect(await sequences(optionsFor(facts, { range: { fromSeq: 5, toSeq: 4 } }))).toEqual([]);
    await expect.poll(() => consumersOf(facts.name)).toBe(0);
  });

  test("subject, bytes, headers and time as they were published", async () => {
    const facts = await makeStream(client, uniqueName("S"));
    const head = headers();
    head.append("X-Name", "a");
    head.append("X-Name", "b");
    await client.js.publish(`${facts.name}.ü.x`, Uint8Array.of(0, 255), { headers: head });
    await client.js.publish(`${facts.name}.y`, "");
    const messages = [];
    for await (const batch of readSequential(client, optionsFor(await factsOf(client, facts.name)))) {
      messages.push(...batch);
    }
    const [first, second] = messages;
    expect(first?.subject).toBe(`${facts.name}.ü.x`);
    expect(Array.from(first?.data ?? [])).toEqual([0, 255]);
    expect({ ...first?.headers }).toEqual({ "X-Name": "a, b" });
    expect(Math.abs((first?.receivedAtMs ?? 0) - Date.now())).toBeLessThan(60_000);
    expect([second?.data.length, second?.headers]).toEqual([0, undefined]);
  });

  test("what is left where messages are deleted, at the end of the range too", async () => {
    const facts = await filled(2_000);
    for (const seq of [1, 2, 500, 501, 999, 1_000, 1_999, 2_000]) {
      await client.jsm.streams.deleteMessage(facts.name, seq);
    }
    const left = numbers(3, 1_998).filter((seq) => ![500, 501, 999, 1_000].includes(seq));
    expect(await sequences(optionsFor(facts))).toEqual(left);
    const front = left.filter((seq) => seq <= 1_000);
    expect(await sequences(optionsFor(facts, { range: { fromSeq: 1, toSeq: 1_000 } }))).toEqual(front);
    await client.jsm.streams.purge(facts.name);
    expect(await sequences(optionsFor(facts))).toEqual([]);
  });

  test("of some subjects only, one or several", async () => {
    const facts = await filled(1_000);
    const of = (...digits: number[]) => numbers(1, 1_000).filter((seq) => digits.includes((seq - 1) % 10));
    const name = facts.name;
    expect(await sequences(optionsFor(facts, { filterSubjects: [`${name}.3`] }))).toEqual(of(3));
    expect(await sequences(optionsFor(facts, { filterSubjects: [`${name}.3`, `${name}.7`] }))).toEqual(of(3, 7));
    expect(await sequences(optionsFor(facts, { filterSubjects: [`${name}.none`] }))).toEqual([]);
  });

  test("an end whose messages are deleted while it is on its way there", async () => {
    const facts = await filled(50_000, "x".repeat(300));
    const remove = when(1, async () => {
      for (let seq = 49_991; seq <= 50_000; seq++) await client.jsm.streams.deleteMessage(facts.name, seq);
    });
    expect(await sequences(optionsFor(facts), remove)).toEqual(numbers(1, 49_990));
  });
});

describe("how much it holds", () => {
  test("a taker that stays away stops the server", async () => {
    const facts = await filled(60_000, "x".repeat(2_000));
    const before = client.nc.stats().inBytes;
    const reading = readSequential(client, optionsFor(facts));
    expect((await reading.next()).done).toBe(false);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    const held = client.nc.stats().inBytes - before;
    expect(held).toBeLessThan(40 * 1024 * 1024);
    let count = 0;
    for await (const batch of reading) count += batch.length;
    expect(count).toBeGreaterThan(50_000);
  });
});

describe("what it recovers from", () => {
  test("the server killed in the middle and restarted, twice", { timeout: 90_000 }, async () => {
    const own = await startNats();
    const mine = client;
    client = await connectNats({ url: own.url, name: "read-sequential-kill" });
    try {
      const facts = await filled(100_000, "x".repeat(200));
      const recovered: string[] = [];
      const crash = async () => {
        await own.kill();
        await own.restart();
      };
      const [first, second] = [when(10_000, crash), when(60_000, crash)];
      const options = optionsFor(facts, { onRecovered: (what) => recovered.push(what) });
      const read = await sequences(options, async (count) => {
        await first(count);
        await second(count);
      });
      expect(read).toEqual(numbers(1, 100_000));
      expect(recovered.length).toBeGreaterThanOrEqual(2);
      expect(recovered[0]).toMatch(/the connection dropped/);
    } finally {
      await client.close();
      await own.stop();
      client = mine;
    }
  });

  test("its consumer deleted under it", async () => {
    const facts = await filled(50_000, "x".repeat(500));
    const recovered: string[] = [];
    const remove = when(1, async () => {
      for await (const { name } of client.jsm.consumers.list(facts.name)) {
        await client.jsm.consumers.delete(facts.name, name);
      }
    });
    const options = optionsFor(facts, { onRecovered: (what) => recovered.push(what) });
    expect(await sequences(options, remove)).toEqual(numbers(1, 50_000));
    expect(recovered).toHaveLength(1);
  });

  test("the connection cut", async () => {
    const facts = await filled(50_000);
    const cut = when(10_000, () => client.nc.reconnect());
    expect(await sequences(optionsFor(facts), cut)).toEqual(numbers(1, 50_000));
  });
});

describe("what it refuses", () => {
  test("a stream made anew, before or under it", async () => {
    const facts = await filled(30_000, "x".repeat(1_000));
    const remake = async () => {
      await client.jsm.streams.delete(facts.name);
      await makeStream(client, facts.name);
      await fillStream(client, facts.name, 30_000);
    };
    const error = await sequences(optionsFor(facts), when(1, remake)).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SourceChangedError);
    expect(String(error)).toMatch(/it was created at .* and not at /);
    await expect(sequences(optionsFor(facts))).rejects.toThrow(SourceChangedError);
  });

  test("a stream that is gone, or shorter than the range", async () => {
    const facts = await filled(10);
    const beyond = optionsFor(facts, { range: { fromSeq: 1, toSeq: 11 } });
    await expect(sequences(beyond)).rejects.toThrow(/ends at sequence 10, and reached 11/);
    await client.jsm.streams.delete(facts.name);
    await expect(sequences(optionsFor(facts))).rejects.toThrow(SourceChangedError);
  });

  test("a stream whose messages go when they are read", async () => {
    const name = uniqueName("Q");
    await client.jsm.streams.add({ name, subjects: [`${name}.>`], retention: "workqueue" });
    await fillStream(client, name, 3);
    await expect(sequences(optionsFor(await factsOf(client, name)))).rejects.toThrow(/retention is "workqueue"/);
    expect((await factsOf(client, name)).messages).toBe(3);
  });

  test("an abort ends it at once, also while the server is away, which by itself it gives up in time", async () => {
    const own = await startNats();
    const mine = client;
    client = await connectNats({ url: own.url, name: "read-sequential-away" });
    try {
      const facts = await filled(100_000, "x".repeat(200));
      const abort = new AbortController();
      const gone = when(1, async () => {
        await own.kill();
        setTimeout(() => abort.abort(new Error("stop")), 300);
      });
      await expect(sequences(optionsFor(facts, { signal: abort.signal }), gone)).rejects.toThrow("stop");
      const startedAt = Date.now();
      await expect(sequences(optionsFor(facts, { noProgressMs: 1_500 }))).rejects.toThrow(UnreachableError);
      expect(Date.now() - startedAt).toBeLessThan(12_000);
      await own.restart();
    } finally {
      await client.close();
      await own.stop();
      client = mine;
    }
  });
});
