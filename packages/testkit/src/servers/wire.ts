import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
}

/** A way to a loopback port that can go dead as a network does: nothing comes through, and neither side is told. */
export class Wire {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #isDead = false;

  private constructor(toPort: number) {
    this.#server = createServer((near) => this.#join({ near, far: connect(toPort, "127.0.0.1") }));
  }

  static async lay(toPort: number): Promise<Wire> {
    const wire = new Wire(toPort);
    wire.#server.listen(0, "127.0.0.1");
    await once(wire.#server, "listening");
    return wire;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Both sides are told, and may connect again. */
  cut(): void {
    for (const { near, far } of this.#pairs) {
      near.destroy();
      far.destroy();
    }
  }

  /** What is under way waits, as it does until a lost packet is sent again. */
  die(): void {
    this.#isDead = true;
    for (const { near, far } of this.#pairs) {
      near.unpipe(far);
      far.unpipe(near);
    }
  }

  revive(): void {
    this.#isDead = false;
    for (const pair of this.#pairs) flow(pair);
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #join(pair: Pair): void {
    const { near, far } = pair;
    this.#pairs.add(pair);
    const part = () => {
      this.#pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) socket.on("error", part).on("close", part);
    if (!this.#isDead) flow(pair);
  }
}

function flow({ near, far }: Pair): void {
  near.pipe(far);
  far.pipe(near);
}
