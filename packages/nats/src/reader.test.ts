import { type ServerHandle, startNats, uniqueName } from "@cim-replay/testkit";
import { headers } from "nats";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
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
} from "./reader-fixture.ts";

let server: ServerHandle;
let client: NatsClient;

beforeAll(async () => {
  server = await startNats();
  client = await connectNats({ url: server.url, name: "reader-test" });
});

afterAll(async () => {
  await closeReaders();
  await client.close();
  await server.stop();
});

async function filled(count: number, payload?: string): Promise<string> {
  const stream = uniqueName("READ");
  await makeStream(client, stream);
  await fillStream(client, stream, count, payload);
  return stream;
}

async function consumersOf(stream: string): Promise<number> {
  return (await client.jsm.streams.info(stream)).state.consumer_count;
}

/** How many messages the server has sent to the stream's only consumer. */
async function deliveredOf(stream: string): Promise<number> {
  for await (const { delivered } of client.jsm.consumers.list(stream)) return delivered.consumer_seq;
  return 0;
}

describe.each(Object.entries(READERS))("with %s;", (_, read) => {
  const readSequences = (...args: ParametersAfterRead) => sequencesOf(read, ...args);

  describe("what is delivered", () => {
    test("200,000 messages come once each and in order", async () => {
      const facts = await factsOf(client, await filled(200_000));
      expect(await readSequences(client, optionsFor(facts))).toEqual(numbers(1, 200_000));
      await expect.poll(() => consumersOf(facts.name)).toBe(0);
    });

    test("a range begins and ends exactly where it says", async () => {
      const facts = await factsOf(client, await filled(5_000));
      const range = { fromSeq: 1_234, toSeq: 3_456 };
      expect(await readSequences(client, optionsFor(facts, { range }))).toEqual(numbers(1_234, 3_456));
      expect(await readSequences(client, optionsFor(facts, { range: { fromSeq: 7, toSeq: 7 } }))).toEqual([7]);
      expect(await readSequences(client, optionsFor(facts, { range: { fromSeq: 9, toSeq: 8 } }))).toEqual([]);
    });

    test("deleted messages are left out, inside the range and at its end", async () => {
      const stream = await filled(1_000);
      for (const seq of [2, 500, 501, 998, 999, 1_000]) await client.jsm.streams.deleteMessage(stream, seq);
      const facts = await factsOf(client, stream);
      const left = numbers(1, 997).filter((seq) => ![2, 500, 501].includes(seq));
      expect(facts.lastSeq).toBe(1_000);
      expect(await readSequences(client, optionsFor(facts))).toEqual(left);
      expect(await readSequences(client, optionsFor(facts, { range: { fromSeq: 400, toSeq: 501 } }))).toEqual(
        numbers(400, 499),
      );
      expect(await readSequences(client, optionsFor(facts, { range: { fromSeq: 998, toSeq: 1_000 } }))).toEqual([]);
    });

    test("messages published during the read do not come behind the end of the range", async () => {
      const facts = await factsOf(client, await filled(20_000));
      let publishing = true;
      const publisher = (async () => {
        while (publishing) await fillStream(client, facts.name, 200);
      })();
      const sequences = await readSequences(client, optionsFor(facts, { maxMessages: 500 }));
      publishing = false;
      await publisher;
      expect(sequences).toEqual(numbers(1, 20_000));
    });

    test("one filter subject, several, and one that matches nothing", async () => {
      const stream = await filled(10_000);
      const facts = await factsOf(client, stream);
      const lastDigit = (digits: number[]) => numbers(1, 10_000).filter((seq) => digits.includes((seq - 1) % 10));
      const readOf = (...filterSubjects: string[]) => readSequences(client, optionsFor(facts, { filterSubjects }));
      expect(await readOf(`${stream}.3`)).toEqual(lastDigit([3]));
      expect(await readOf(`${stream}.3`, `${stream}.7`)).toEqual(lastDigit([3, 7]));
      expect(await readOf(`${stream}.none`)).toEqual([]);
    });

    test("a filtered range ends where later matches lie behind it", async () => {
      const stream = await filled(1_000);
      const facts = await factsOf(client, stream);
      const options = optionsFor(facts, { filterSubjects: [`${stream}.0`], range: { fromSeq: 2, toSeq: 500 } });
      expect(await readSequences(client, options)).toEqual(numbers(2, 500).filter((seq) => seq % 10 === 1));
    });

    test("a message has its subject, data, headers and the time the server received it", async () => {
      const stream = await filled(0);
      const values = headers();
      for (const [name, value] of [
        ["X-Tag", "one"],
        ["2", "b"],
        ["1", "a"],
        ["X-Tag", "two"],
      ] as const) {
        values.append(name, value);
      }
      const before = Date.now();
      await client.js.publish(`${stream}.a.b`, "päyload", { headers: values });
      await client.js.publish(`${stream}.plain`, "");
      const facts = await factsOf(client, stream);
      for await (const [first, second] of read(client, optionsFor(facts))) {
        expect(first?.subject).toBe(`${stream}.a.b`);
        expect(Buffer.from(first?.data ?? []).toString()).toBe("päyload");
        expect({ ...first?.headers }).toEqual({ "X-Tag": "one, two", 1: "a", 2: "b" });
        const pairs = [
          ["X-Tag", "one"],
          ["X-Tag", "two"],
          ["2", "b"],
          ["1", "a"],
        ];
        expect(first?.headerPairs).toEqual(pairs);
        expect(first?.receivedAtNs).toBeGreaterThan(BigInt(before - 1) * 1_000_000n);
        expect(first?.receivedAtMs).toBeGreaterThanOrEqual(before - 1);
        expect(first?.receivedAtMs).toBeLessThanOrEqual(Date.now());
        expect(Number.isInteger(first?.receivedAtMs)).toBe(true);
        expect(second?.headers).toBeUndefined();
        expect(second?.data).toHaveLength(0);
      }
    });
  });

  describe("how much is held", () => {
    const MEBIBYTE = 1024 * 1024;

    test("a slow taker of large messages keeps what has come bounded", async () => {
      const stream = await filled(40, "x".repeat(MEBIBYTE));
      // Small, because the reader looks at the last message before it begins.
      await fillStream(client, stream, 1);
      const facts = await factsOf(client, stream);
      const maxBytes = 4 * MEBIBYTE;
      let done = 0;
      let most = 0;
      let sequences = 0;
      for await (const batch of read(client, optionsFor(facts, { maxBytes }))) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        most = Math.max(most, (await deliveredOf(stream)) * MEBIBYTE - done);
        done += batch.reduce((sum, { data }) => sum + data.length, 0);
        sequences += batch.length;
      }
      expect(sequences).toBe(41);
      expect(most).toBeGreaterThan(MEBIBYTE);
      expect(most).toBeLessThanOrEqual(maxBytes + 8_192);
    });

    test("nothing comes beyond the window while the taker is away", async () => {
      const facts = await factsOf(client, await filled(10_000));
      const reading = read(client, optionsFor(facts, { maxMessages: 1_000 }));
      const first = await reading.next();
      await new Promise((resolve) => setTimeout(resolve, 200));
      const received = await deliveredOf(facts.name);
      expect(first.done).toBe(false);
      // A thread has a part of the window for what it has handed over.
      expect(received).toBeGreaterThan(300);
      expect(received).toBeLessThanOrEqual(1_000);
      await reading.return();
    });

    test.each([1, 1_000, 60_000, 150_000])("messages larger than maxBytes %i get through", async (maxBytes) => {
      const stream = await filled(20, "small");
      await fillStream(client, stream, 10, "x".repeat(100_000));
      await fillStream(client, stream, 20, "small");
      const facts = await factsOf(client, stream);
      expect(await readSequences(client, optionsFor(facts, { maxBytes }))).toEqual(numbers(1, 50));
    });

    test.each([1, 2, 3])("a window of %i messages is enough", async (maxMessages) => {
      const facts = await factsOf(client, await filled(300));
      expect(await readSequences(client, optionsFor(facts, { maxMessages }))).toEqual(numbers(1, 300));
    });

    test("byte windows that are used up to the last byte do not stall", async () => {
      const facts = await factsOf(client, await filled(2_000, "x".repeat(100)));
      for (const maxBytes of [1_000, 1_024, 1_500, 2_000, 2_222]) {
        const options = optionsFor(facts, { maxBytes, onRecovered: (what) => expect.fail(what) });
        expect(await readSequences(client, options)).toEqual(numbers(1, 2_000));
      }
    });
  });

  describe("how it ends early", () => {
    test("an abort while waiting ends it at once and removes the consumer", async () => {
      const stream = await filled(100);
      await fillStream(client, stream, 1, "last");
      const facts = await factsOf(client, stream);
      const abort = new AbortController();
      const slow = optionsFor(facts, { signal: abort.signal, maxMessages: 10 });
      const reading = read(client, slow);
      await reading.next();
      abort.abort(new Error("enough"));
      await expect(reading.next()).rejects.toThrow("enough");
      await expect.poll(() => consumersOf(stream)).toBe(0);
    });

    test("a signal that is aborted already reads nothing", async () => {
      const facts = await factsOf(client, await filled(10));
      const signal = AbortSignal.abort(new Error("never"));
      await expect(readSequences(client, optionsFor(facts, { signal }))).rejects.toThrow("never");
    });

    test("break removes the consumer", async () => {
      const facts = await factsOf(client, await filled(5_000));
      for await (const _ of read(client, optionsFor(facts, { maxMessages: 100 }))) break;
      await expect.poll(() => consumersOf(facts.name)).toBe(0);
    });
  });
});
