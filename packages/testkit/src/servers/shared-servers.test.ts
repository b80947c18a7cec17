import { connect } from "node:net";
import { once } from "node:events";
import { expect, inject, test } from "vitest";

test("every test run has a NATS and a Redis that accept connections", async () => {
  for (const url of [inject("natsUrl"), inject("redisUrl")]) {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    await once(socket, "connect");
    expect(socket.remotePort).toBe(Number(port));
    socket.destroy();
  }
});
