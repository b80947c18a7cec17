import { type ServerHandle, startNats } from "@cim-replay/testkit";
import { headers, type Msg, type NatsConnection } from "nats";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { connectNats, type NatsClient } from "./connect.ts";
import { publishFrame } from "./publish-frame.ts";

let server: ServerHandle;
let client: NatsClient;

beforeAll(async () => {
  server = await startNats();
  client = await connectNats({ url: server.url, name: "publish-frame-test" });
});
afterAll(async () => {
  await client.close();
  await server.stop();
});

/** A connection whose inside is not as known. */
const strange = (nc: NatsConnection) =>
  new Proxy(nc, {
    get(target, name) {
      if (name === "protocol") return undefined;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });

describe.each([
  ["past the client", (nc: NatsConnection) => nc],
  ["by the client, where its inside is not as known", strange],
])("%s", (_, of) => {
  it("sends any subject, payload and headers as the client does, and counts them", async () => {
    const [got, byClient]: [Msg[], Msg[]] = [[], []];
    client.nc.subscribe("frame.>", { callback: (_error, message) => void got.push(message) });
    client.nc.subscribe("client.>", { callback: (_error, message) => void byClient.push(message) });
    const head = headers();
    head.set("X-Name", "ü");
    const sent = [new Uint8Array(0), Buffer.from("ü".repeat(1_000)), Buffer.alloc(900_000, 1)];
    const count = async (work: () => void) => {
      const { outMsgs, outBytes } = client.nc.stats();
      work();
      await client.nc.flush();
      const now = client.nc.stats();
      return [now.outMsgs - outMsgs, now.outBytes - outBytes];
    };
    const block = { headers: (head as unknown as { encode(): Uint8Array }).encode(), reply: "answers.1" };
    const counted = await count(() => {
      for (const payload of sent) publishFrame(of(client.nc), { subject: "frame.ü.a", payload, ...block });
    });
    const asClient = await count(() => {
      for (const payload of sent) client.nc.publish("client.ü.a", payload, { reply: "answers.1", headers: head });
    });
    expect(counted).toEqual(asClient);
    const facts = ({ subject, reply, data, headers: values }: Msg) => ({
      subject: subject.replace(/^(frame|client)\./, ""),
      ...{ reply, name: values?.get("X-Name"), data: Buffer.from(data).toString("base64") },
    });
    expect(got.map(facts)).toEqual(byClient.map(facts));
    expect(got).toHaveLength(3);
  });

  it("refuses what would be another command to the server, and what is too large", () => {
    const frame = { reply: "a", headers: Buffer.from("NATS/1.0\r\n\r\n"), payload: Buffer.from("x") };
    for (const subject of ["", "a b", "a\r\nPUB b 0\r\n\r\n"]) {
      expect(() => publishFrame(of(client.nc), { ...frame, subject })).toThrow(/subject/);
    }
    for (const reply of ["a b", "a\r\nPUB b 0\r\n\r\n"]) {
      expect(() => publishFrame(of(client.nc), { ...frame, subject: "a", reply })).toThrow(/subject/);
    }
    const payload = Buffer.alloc(2 ** 20);
    expect(() => publishFrame(of(client.nc), { ...frame, subject: "a", payload })).toThrow(/max_payload/);
  });
});

it("passes the client by: its own way would cost as much as all the rest", () => {
  const { protocol } = client.nc as NatsConnection & { protocol: { publish(): void } };
  const publish = vi.spyOn(protocol, "publish");
  publishFrame(client.nc, {
    subject: "a",
    reply: "b",
    headers: Buffer.from("NATS/1.0\r\n\r\n"),
    payload: Buffer.from("x"),
  });
  expect(publish).not.toHaveBeenCalled();
  publish.mockRestore();
});

it("refuses a connection that is closed", async () => {
  const { nc, close } = await connectNats({ url: server.url, name: "closed" });
  await close();
  const frame = { subject: "a", reply: "b", headers: Buffer.from("NATS/1.0\r\n\r\n"), payload: Buffer.from("x") };
  expect(() => publishFrame(nc, frame)).toThrow(/closed/);
});
