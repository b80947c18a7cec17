import { startNats, uniqueName } from "@cim-replay/testkit";
import { type Msg, type NatsConnection, headers, type Subscription } from "nats";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectNats, type NatsClient } from "./connect.ts";
import { pullToEnd } from "./message-pull.ts";

const MESSAGES_A_PULL = 2_000;
/** Under which a stand-in answers pulls: no real server lets a test choose when a word is late. */
const STAND_IN = "STANDIN";

let nats: Awaited<ReturnType<typeof startNats>>;
let client: NatsClient;

beforeAll(async () => {
  nats = await startNats();
  client = await connectNats({ url: nats.url, name: "test" });
  await client.jsm.streams.add({ name: "S", subjects: ["s"] });
});
afterAll(async () => {
  await client.close();
  await nats.stop();
});

/** Answers each pull by its number, from 1; `say` sends a status to a pull, `deliver` a message. */
function answerPulls(answer: (pull: number, to: (pull: number) => string) => void): Subscription {
  const replies: string[] = [];
  return client.nc.subscribe(`${STAND_IN}.CONSUMER.MSG.NEXT.>`, {
    callback: (_, request: Msg) => {
      replies.push(request.reply ?? "");
      answer(replies.length, (pull) => replies[pull - 1] ?? "");
    },
  });
}

function say(to: string, code: number, words: string): void {
  client.nc.publish(to, "", { headers: headers(code, words) });
}

function deliver(to: string, from: number, upTo: number): void {
  for (let seq = from; seq <= upTo; seq++) {
    // Where a real one has $JS, which the server takes from nobody else.
    client.nc.publish(to, "x", { reply: `JS.ACK.S.c.1.${seq}.${seq}.0.${upTo - seq}` });
  }
}

/** The same connection with an inside that is not as known. */
function unknownInside(nc: NatsConnection): NatsConnection {
  return new Proxy(nc, {
    get(of, name) {
      if (name === "protocol") return undefined;
      const member: unknown = Reflect.get(of, name);
      return typeof member === "function" ? member.bind(of) : member;
    },
  });
}

describe.each(["frames", "the library's messages"])("pulling %s", (how) => {
  const of = (it: NatsClient): NatsClient => (how === "frames" ? it : { ...it, nc: unknownInside(it.nc) });

  it("does not take the late end of one pull for an answer to the next", async () => {
    const answers = answerPulls((pull, to) => {
      if (pull === 1) deliver(to(1), 1, MESSAGES_A_PULL);
      if (pull !== 2) return;
      say(to(1), 409, "Batch Completed");
      deliver(to(2), MESSAGES_A_PULL + 1, MESSAGES_A_PULL + 3);
      say(to(1), 404, "No Messages");
      say(to(2), 408, "Request Timeout");
    });
    const batches: number[] = [];
    const pulls = pullToEnd(of({ ...client, apiPrefix: STAND_IN }), "S", {});
    for await (const batch of pulls) {
      batches.push(batch.length);
      if (batches.length === 2) break;
    }
    answers.unsubscribe();
    expect(batches).toEqual([MESSAGES_A_PULL, 3]);
  });

  it("gives each message's sequence, subject, headers and bytes", async () => {
    const stream = uniqueName("PULLED");
    await client.jsm.streams.add({ name: stream, subjects: [`${stream}.>`] });
    const tagged = headers();
    for (const value of ["one", "two"]) tagged.append("X-Tag", value);
    await client.js.publish(`${stream}.ü`, "pä", { headers: tagged });
    await client.js.publish(`${stream}.plain`, "");
    const found: unknown[] = [];
    for await (const batch of pullToEnd(of(client), stream, {})) {
      for (const { seq, subject, data, headerPairs } of batch) {
        found.push([
          seq,
          subject,
          Buffer.from(data).toString(),
          headerPairs?.map(([name, value]) => `${name}: ${value}`),
        ]);
      }
    }
    expect(found).toEqual([
      [1, `${stream}.ü`, "pä", ["X-Tag: one", "X-Tag: two"]],
      [2, `${stream}.plain`, "", []],
    ]);
  });
});
