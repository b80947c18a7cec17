const HEX_CODES = Uint8Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));
const uuidText = Buffer.from("00000000-0000-4000-0000-000000000000");
/** Where a UUID holds neither a hyphen nor its version. */
const UUID_DIGITS = Array.from({ length: 36 }, (_, at) => at).filter((at) => ![8, 13, 14, 18, 23].includes(at));
const VARIANT_AT = 19;

/** Seeded random numbers, the same on every machine: sfc32 (Chris Doty-Humphrey, PractRand), whole numbers only. */
export class Random {
  readonly #state = new Int32Array(4);

  constructor(seed: number) {
    this.#state.set([seed | 0, Math.floor(seed / 2 ** 32) | 0, 0x6369_6d21, 1]);
    for (let i = 0; i < 20; i++) this.#bits();
  }

  /** From 0 to below `bound`, which is at most 2^53. */
  below(bound: number): number {
    const high = this.#bits() >>> 0;
    return Math.floor(((high * 2 ** 21 + (this.#bits() >>> 11)) / 2 ** 53) * bound);
  }

  /** True in `percent` of 100 cases. */
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(choices: readonly [T, ...T[]]): T {
    return choices[this.below(choices.length)] ?? choices[0];
  }

  /** A version 4 UUID. */
  uuid(): string {
    let bits = 0;
    for (let i = 0; i < UUID_DIGITS.length; i++) {
      bits = i % 8 === 0 ? this.#bits() : bits >>> 4;
      const at = UUID_DIGITS[i] ?? 0;
      uuidText[at] = HEX_CODES[at === VARIANT_AT ? 8 | (bits & 3) : bits & 15] ?? 0;
    }
    return uuidText.toString("latin1");
  }

  /** 32 random bits, signed. */
  #bits(): number {
    const state = this.#state;
    const [a = 0, b = 0, c = 0, counter = 0] = [state[0], state[1], state[2], state[3]];
    const result = (a + b + counter) | 0;
    state[0] = b ^ (b >>> 9);
    state[1] = (c + (c << 3)) | 0;
    state[2] = (((c << 21) | (c >>> 11)) + result) | 0;
    state[3] = (counter + 1) | 0;
    return result;
  }
}
