import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type DigestedEntry, EntriesChain } from "./entries-chain.ts";

const value = (text: string) => createHash("sha256").update(text).digest("hex");

function digest(entries: readonly DigestedEntry[]) {
  const chain = new EntriesChain();
  for (const entry of entries) chain.add(entry);
  return chain.end();
}

describe("an entries digest", () => {
  it("is SHA-256 of key, hash, last sequence and events, in the order of the keys' code units", () => {
    const entries = [
      { key: "graph.B", sha256: value("C"), lastSeq: 3, events: 2 },
      { key: "graph.a=C3=BC", sha256: value("A"), lastSeq: 1, events: 1 },
      { key: "graph.b", sha256: value("B"), lastSeq: 2 ** 33, events: 7 },
    ];
    const records = [
      `00000007${Buffer.from("graph.B").toString("hex")}${value("C")}000000000000000300000002`,
      `0000000d${Buffer.from("graph.a=C3=BC").toString("hex")}${value("A")}000000000000000100000001`,
      `00000007${Buffer.from("graph.b").toString("hex")}${value("B")}000000020000000000000007`,
    ];
    const sha256 = createHash("sha256")
      .update(Buffer.from(records.join(""), "hex"))
      .digest("hex");
    expect(digest(entries)).toEqual({ entries: 3, sha256 });
  });

  it("of no entries is the hash of nothing", () => {
    expect(digest([])).toEqual({ entries: 0, sha256: value("") });
  });
});
