import { randomBytes } from "node:crypto";
import { DeletedSequences, partitionHashesEvenly } from "@cim-replay/core";
import { connectNats, deletionsSha256, type NatsClient, type SegmentStore } from "@cim-replay/nats";
import { uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { StagedRun } from "../unit-source.fixture.ts";

const MESSAGES = 60;
const MESSAGE_BYTES = 600_000;
const MEBIBYTE = 1024 * 1024;
let client: NatsClient;

beforeAll(async () => {
  client = await connectNats({ url: inject("natsUrl"), name: "test" });
});
afterAll(() => client.close());

/** Counts what is under way. */
class WatchedStore implements Pick<SegmentStore, "read"> {
  most = 0;
  #underWay = 0;
  readonly #store: Pick<SegmentStore, "read">;

  constructor(store: Pick<SegmentStore, "read">) {
    this.#store = store;
  }

  async read(...of: Parameters<SegmentStore["read"]>): Promise<Uint8Array> {
    this.most = Math.max(this.most, ++this.#underWay);
    try {
      return await this.#store.read(...of);
    } finally {
      this.#underWay -= 1;
    }
  }
}

it.each([
  [64 * MEBIBYTE, 4],
  [8 * MEBIBYTE, 1],
  [null, 16],
])(
  "with a memory limit of %s bytes at most %i segments, each of at most one message's size, are under way",
  async (memoryLimitBytes, most) => {
    const stream = uniqueName("LARGE");
    await client.jsm.streams.add({ name: stream, subjects: [`${stream}.>`] });
    for (let n = 0; n < MESSAGES; n++)
      await client.js.publish(`${stream}.shop.a${n % 3}.Added`, randomBytes(MESSAGE_BYTES));
    const range = { fromSeq: 1, toSeq: MESSAGES };
    const cut = { range, ...partitionHashesEvenly(1), units: [{ id: "u0", partitions: [0] }], slices: [range] };
    const deleted = { count: 0, sha256: deletionsSha256(new DeletedSequences([])) };
    const run = await StagedRun.begin(client, stream, { ...cut, deleted }, "shuffle", { memoryLimitBytes });
    try {
      await run.pack(0, { dies: false });
      let watched: WatchedStore | undefined;
      const source = await run.open(
        "u0",
        { fromSeq: 1, deliveredBySlice: [0] },
        (store) => (watched = new WatchedStore(store)),
      );
      let messages = 0;
      for await (const batch of source.read(1)) messages += batch.length;
      expect(messages).toBe(MESSAGES);
      expect(watched?.most).toBeGreaterThan(0);
      expect(watched?.most).toBeLessThanOrEqual(most);
    } finally {
      await run.end();
      await client.jsm.streams.delete(stream);
    }
  },
);
