import { isAscii } from "node:buffer";
import type { HeaderPair } from "@cim-replay/core";
import { MsgHdrsImpl } from "nats";

const LINE_END = "\r\n";
const NAME = /^[!-9;-~]*$/;
const BREAKS_A_LINE = /[\r\n]/;
/** With so many it is quicker to sort them by name than to compare each with all before it. */
const FEW = 16;

/**
 * Every header with every value by itself, as the client library reads a header block, which takes several times as long: its
 * names in order of appearance, the values of each together. Throws what the library throws where a name or value is none.
 */
export function headerPairsIn(block: Buffer): readonly HeaderPair[] {
  return (isAscii(block) && readUsual(block.toString("latin1"))) || byLibrary(block);
}

/** Null where the library should look at it. */
function readUsual(text: string): readonly HeaderPair[] | null {
  const pairs: HeaderPair[] = [];
  let isGrouped = true;
  let at = text.indexOf(LINE_END);
  while (at !== -1) {
    const from = at + LINE_END.length;
    at = text.indexOf(LINE_END, from);
    const line = text.slice(from, at === -1 ? text.length : at);
    const colon = line.indexOf(":");
    if (colon === -1) continue;
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1).trim();
    if (!NAME.test(name) || BREAKS_A_LINE.test(value)) return null;
    isGrouped &&= pairs.length < FEW && pairs.every(([other]) => other !== name);
    pairs.push([name, value]);
  }
  return isGrouped ? pairs : [...Map.groupBy(pairs, ([name]) => name).values()].flat();
}

function byLibrary(block: Buffer): readonly HeaderPair[] {
  const pairs: HeaderPair[] = [];
  for (const [name, values] of MsgHdrsImpl.decode(block)) for (const value of values) pairs.push([name, value]);
  return pairs;
}
