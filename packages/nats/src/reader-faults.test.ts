import { SourceChangedError, UnreachableError } from "@cim-replay/core";
import { type ServerHandle, startNats } from "@cim-replay/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connectNats, type NatsClient } from "./connect.ts";
import {
  closeReaders,
  factsOf,
  fillStream,
  makeStream,
  numbers,
  optionsFor,
  type ParametersAfterRead,
  READERS,
  readSequences as sequencesOf,
  when,
} from "./reader-fixture.ts";
import type { StreamFacts } from "./stream-info.ts";

const COUNT = 50_000;
let server: ServerHandle;
let client: NatsClient;
let facts: StreamFacts;

beforeEach(async () => {
  server = await startNats();
  client = await connectNats({ url: server.url, name: "reader-faults-test" });
  await makeStream(client, "S");
  await fillStream(client, "S", COUNT);
  facts = await factsOf(client, "S");
});

afterEach(async () => {
  await closeReaders();
  await client.close();
  await server.stop();
});

async function consumerNames(): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of client.jsm.consumers.list("S")) names.push(name);
  return names;
}

describe.each(Object.entries(READERS))("with %s;", (name, read) => {
  const readSequences = (...args: ParametersAfterRead) => sequencesOf(read, ...args);

  describe("what it recovers from", () => {
    test("the server killed and restarted twice: every sequence comes once", async () => {
      const recovered: string[] = [];
      const options = optionsFor(facts, { maxMessages: 1_000, onRecovered: (what) => recovered.push(what) });
      const crash = async () => {
        await server.kill();
        await server.restart();
      };
      const [first, second] = [when(10_000, crash), when(30_000, crash)];
      const sequences = await readSequences(client, options, async (count) => {
        await first(count);
        await second(count);
      });
      expect(sequences).toEqual(numbers(1, COUNT));
      expect(recovered.length).toBeGreaterThanOrEqual(2);
      expect(recovered[0]).toMatch(/stream S: the connection dropped/);
    });

    test("the server killed while the reader waits for it", async () => {
      const crash = when(10_000, () => {
        void server.kill().then(() => setTimeout(() => void server.restart(), 1_000));
      });
      expect(await readSequences(client, optionsFor(facts, { maxMessages: 1_000 }), crash)).toEqual(numbers(1, COUNT));
    });

    test("its consumer deleted under it", async () => {
      const recovered: string[] = [];
      const remove = when(10_000, async () => {
        for (const name of await consumerNames()) await client.jsm.consumers.delete("S", name);
      });
      const options = optionsFor(facts, { maxMessages: 1_000, onRecovered: (what) => recovered.push(what) });
      expect(await readSequences(client, options, remove)).toEqual(numbers(1, COUNT));
      expect(recovered).toHaveLength(1);
    });

    // A thread's is another one: see its own tests.
    test.skipIf(name === "a thread of its own")("the connection cut", async () => {
      const cut = when(10_000, () => client.nc.reconnect());
      expect(await readSequences(client, optionsFor(facts, { maxMessages: 1_000 }), cut)).toEqual(numbers(1, COUNT));
      await expect.poll(consumerNames).toEqual([]);
    });

    test("the server stopped for longer than noProgressMs and continued", async () => {
      const pause = when(10_000, () => {
        server.pause();
        setTimeout(() => server.resume(), 4_000);
      });
      const options = optionsFor(facts, { maxMessages: 1_000, noProgressMs: 1_500 });
      expect(await readSequences(client, options, pause)).toEqual(numbers(1, COUNT));
    });

    test("the last messages of the range deleted while they are still to come", async () => {
      const remove = when(10_000, async () => {
        for (let seq = COUNT - 9; seq <= COUNT; seq++) await client.jsm.streams.deleteMessage("S", seq);
      });
      const options = optionsFor(facts, { maxMessages: 1_000, noProgressMs: 300 });
      expect(await readSequences(client, options, remove)).toEqual(numbers(1, COUNT - 10));
    });
  });

  describe("what it refuses", () => {
    const readWith = (fault: () => unknown, range = { fromSeq: 1, toSeq: COUNT }) =>
      readSequences(client, optionsFor(facts, { maxMessages: 1_000, noProgressMs: 500, range }), when(10_000, fault));

    test("a stream that was deleted and made again under it", async () => {
      const remake = async () => {
        await client.jsm.streams.delete("S");
        await makeStream(client, "S");
        await fillStream(client, "S", COUNT);
      };
      const error = await readWith(remake).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(SourceChangedError);
      // A thread reads on meanwhile, and may look while there is none, or a part of the new one.
      const isBetween = name === "a thread of its own" ? "|does not exist any more|ends at sequence" : "";
      expect(String(error)).toMatch(new RegExp(`stream S: it (was created at .* and not at ${isBetween})`));
    });

    test("a stream that was deleted", async () => {
      const error = await readWith(() => client.jsm.streams.delete("S")).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(SourceChangedError);
      expect(String(error)).toMatch(/does not exist any more/);
    });

    test("a stream purged beyond where it was", async () => {
      const error = await readWith(() => client.jsm.streams.purge("S", { seq: 40_000 })).catch((r: unknown) => r);
      expect(error).toBeInstanceOf(SourceChangedError);
      expect(String(error)).toMatch(/stream S: it begins at sequence 40000, and \d+ was still to be read/);
    });

    test("a stream purged wholly", async () => {
      const error = await readWith(() => client.jsm.streams.purge("S")).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(SourceChangedError);
    });

    test("a purge of what it has read already is none of its business", async () => {
      expect(await readWith(() => client.jsm.streams.purge("S", { seq: 5_000 }))).toEqual(numbers(1, COUNT));
    });

    test("a range that the stream does not reach, or that begins before it", async () => {
      await expect(readWith(() => {}, { fromSeq: 1, toSeq: COUNT + 1 })).rejects.toThrow(/ends at sequence 50000/);
      await client.jsm.streams.purge("S", { seq: 100 });
      await expect(readWith(() => {}, { fromSeq: 99, toSeq: 200 })).rejects.toThrow(SourceChangedError);
      expect(await readWith(() => {}, { fromSeq: 100, toSeq: 200 })).toEqual(numbers(100, 200));
    });

    test("a stream whose messages go when they are read", async () => {
      await client.jsm.streams.add({ name: "QUEUE", subjects: ["QUEUE.>"], retention: "interest" });
      const queue = { ...(await factsOf(client, "QUEUE")), firstSeq: 0 };
      await expect(readSequences(client, optionsFor(queue))).rejects.toThrow(/retention is "interest"/);
    });

    test("a server that stays away: it gives up after four silent periods", async () => {
      const startedAt = Date.now();
      const error = await readWith(() => server.kill()).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(UnreachableError);
      expect(Date.now() - startedAt).toBeLessThan(15_000);
      await server.restart();
    });

    test("an abort while the server is away ends it at once", async () => {
      const abort = new AbortController();
      const gone = when(10_000, async () => {
        await server.kill();
        setTimeout(() => abort.abort(new Error("stop")), 300);
      });
      const options = optionsFor(facts, { maxMessages: 1_000, noProgressMs: 60_000, signal: abort.signal });
      const startedAt = Date.now();
      await expect(readSequences(client, options, gone)).rejects.toThrow("stop");
      expect(Date.now() - startedAt).toBeLessThan(5_000);
      await server.restart();
    });
  });
});
