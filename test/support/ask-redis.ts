import { once } from "node:events";
import { connect } from "node:net";

/** What a Redis answers to one command, as it stands on the wire. Not by the client library: that is the queue's alone. */
export async function askRedis(url: string, command: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) }).setEncoding("utf8");
  try {
    socket.write(`${command}\r\n`);
    const [answer] = await once(socket, "data", { signal: AbortSignal.timeout(10_000) });
    return String(answer).trimEnd();
  } finally {
    socket.destroy();
  }
}
