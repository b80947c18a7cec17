import { formatSize } from "@cim-replay/core";

/** Takes pieces of wanted lengths from chunks of whatever length, and no more from upstream than that needs. */
export class ByteSource {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #limit: number;
  readonly #refuse: (why: string) => Error;
  #rest: Buffer = Buffer.alloc(0);
  #received = 0;

  constructor(chunks: AsyncIterable<Buffer>, limitBytes: number, refuse: (why: string) => Error) {
    this.#chunks = chunks[Symbol.asyncIterator]();
    this.#limit = limitBytes;
    this.#refuse = refuse;
  }

  /** Exactly `size` bytes; throws where they are not there. */
  async take(size: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (let missing = size; missing > 0; ) {
      if (this.#rest.length === 0 && !(await this.#fetch())) throw this.#refuse("it ends in the middle of a member");
      const piece = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(piece.length);
      missing -= piece.length;
      pieces.push(piece);
    }
    return pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces);
  }

  async isAtEnd(): Promise<boolean> {
    return this.#rest.length === 0 && !(await this.#fetch());
  }

  async #fetch(): Promise<boolean> {
    const { done, value } = await this.#chunks.next();
    if (done) return false;
    this.#received += value.length;
    if (this.#received > this.#limit) throw this.#refuse(`it unpacks to more than ${formatSize(this.#limit)}`);
    this.#rest = value;
    return value.length > 0 || this.#fetch();
  }
}
