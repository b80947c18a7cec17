import { expect, it } from "vitest";
import { hexRows, textOf } from "./show-bytes.ts";

it("text is text where it is UTF-8 without a zero, and a beginning may end in the middle of a character", () => {
  const bytes = new TextEncoder().encode("aé");
  expect(textOf(bytes)).toBe("aé");
  expect(textOf(bytes.subarray(0, 2))).toBe(null);
  expect(textOf(bytes.subarray(0, 2), true)).toBe("a");
  expect(textOf(Uint8Array.of(97, 0))).toBe(null);
});

it("bytes are rows of sixteen with their offset, hex and letters", () => {
  const bytes = Uint8Array.from({ length: 18 }, (_, at) => (at === 17 ? 0xff : 0x41 + at));
  expect(hexRows(bytes)).toBe(
    "000000  41 42 43 44 45 46 47 48 49 4a 4b 4c 4d 4e 4f 50  ABCDEFGHIJKLMNOP\n" +
      "000010  51 ff                                            Q.",
  );
});
