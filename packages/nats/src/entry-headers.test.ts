import fc from "fast-check";
import { MsgHdrsImpl } from "nats";
import { expect, test } from "vitest";
import { headOf } from "./entries.ts";
import { EntryHeaders, provenanceIn } from "./entry-headers.ts";

const word = fc.stringMatching(/^[\x21-\x7e]{1,30}$/);
const number = fc.integer({ min: 0, max: 1e14 });
const provenances = fc.record({ run: word, epoch: number, lastSeq: number, events: number, sha256: word });
const headers = new EntryHeaders();

test("what is written into an entry's headers is read back", () => {
  fc.assert(
    fc.property(provenances, number, (provenance, revision) => {
      expect(provenanceIn(headers.encode(provenance, revision))).toEqual(provenance);
    }),
  );
});

const strange = fc.constantFrom(
  "\r\n",
  "KV-Operation: DEL\r\n",
  " ",
  ":",
  "\t",
  "é",
  "Cim-Replay-Epoch: x\r\n",
  "\0",
  "0",
);

test("a block that others changed is read as the client reads it, or left to the client", () => {
  fc.assert(
    fc.property(provenances, strange, fc.nat(), fc.nat(3), (provenance, inserted, where, removed) => {
      const own = Buffer.from(headers.encode(provenance, 7));
      const at = 10 + (where % (own.length - 10));
      const block = Buffer.concat([own.subarray(0, at), Buffer.from(inserted), own.subarray(at + removed)]);
      const read = provenanceIn(block);
      if (read === null) return;
      const { deleted, provenance: byClient } = headOf("a.b", 1, MsgHdrsImpl.decode(block));
      expect({ deleted, provenance: read }).toEqual({ deleted: false, provenance: byClient });
    }),
    { numRuns: 2_000 },
  );
});
