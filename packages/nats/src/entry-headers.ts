import { PROVENANCE_HEADERS, type Provenance, ReplayError } from "@cim-replay/core";
import { EXPECTED_REVISION_HEADER } from "./publish-cas.ts";

const { run, epoch, lastSeq, events, sha256 } = PROVENANCE_HEADERS;
const SAFE_VALUE = /^[\x21-\x7e]+$/;

/** Encodes the header block of an entry's put. By hand: the client's own header objects cost more than the rest. */
export class EntryHeaders {
  #run: string | null = null;

  encode(provenance: Provenance, expectedRevision: number): Uint8Array {
    if (provenance.run !== this.#run) this.#checkRun(provenance.run);
    return Buffer.from(
      `NATS/1.0\r\n${EXPECTED_REVISION_HEADER}: ${expectedRevision}\r\n${run}: ${provenance.run}\r\n` +
        `${epoch}: ${provenance.epoch}\r\n${lastSeq}: ${provenance.lastSeq}\r\n${events}: ${provenance.events}\r\n` +
        `${sha256}: ${provenance.sha256}\r\n\r\n`,
      "latin1",
    );
  }

  #checkRun(id: string): void {
    if (!SAFE_VALUE.test(id)) {
      throw new ReplayError(
        `Cannot write entries of run ${JSON.stringify(id)}: the id has no header form. Use another.`,
      );
    }
    this.#run = id;
  }
}

const OWN_BLOCK = new RegExp(
  `^NATS/1\\.0\\r\\n(?:${EXPECTED_REVISION_HEADER}: \\d+\\r\\n)?${run}: ([\\x21-\\x7e]+)\\r\\n${epoch}: (\\d{1,15})\\r\\n` +
    `${lastSeq}: (\\d{1,15})\\r\\n${events}: (\\d{1,15})\\r\\n${sha256}: ([\\x21-\\x7e]+)\\r\\n\\r\\n$`,
);

/** What `encode` has written; null where the block is not exactly that, whoever may have written it. */
export function provenanceIn(block: Uint8Array): Provenance | null {
  const found = OWN_BLOCK.exec(Buffer.from(block.buffer, block.byteOffset, block.byteLength).toString("latin1"));
  if (found === null) return null;
  const [, by = "", inEpoch, last, count, hash = ""] = found;
  return { run: by, epoch: Number(inEpoch), lastSeq: Number(last), events: Number(count), sha256: hash };
}

export function sameProvenance(a: Provenance, b: Provenance): boolean {
  return (
    a.sha256 === b.sha256 && a.run === b.run && a.epoch === b.epoch && a.lastSeq === b.lastSeq && a.events === b.events
  );
}
