import { connect } from "node:net";

/**
 * Connects to a loopback port, writes `request`, and resolves with all text received as soon as `done` accepts it;
 * null where the connection fails, ends, or stays silent for `timeoutMs`.
 */
export function dialogue(
  port: number,
  request: string,
  done: (received: string) => boolean,
  timeoutMs = 1_000,
): Promise<string | null> {
  return new Promise((resolve) => {
    let received = "";
    const socket = connect({ host: "127.0.0.1", port });
    const end = (answer: string | null) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setEncoding("utf8").setTimeout(timeoutMs, () => end(null));
    socket.on("connect", () => socket.write(request));
    socket.on("error", () => end(null));
    socket.on("close", () => end(null));
    socket.on("data", (text) => {
      received += text;
      if (done(received)) end(received);
    });
  });
}
