import { isAscii } from "node:buffer";
import type { HeaderPair } from "@cim-replay/core";
import { MsgHdrsImpl } from "nats";

const NAME = /^[!-9;-~]*$/;
const SPACE = 32;
const COLON = 58;
/** With so many it is quicker to sort them by name than to compare each with all before it. */
const FEW = 16;

/**
 * Every header with every value by itself, as the client library reads a header block, which takes several times as long: its
 * names in order of appearance, the values of each together. Throws what the library throws where a name or value is none.
 */
export function headerPairsIn(block: Buffer): readonly HeaderPair[] {
  return (isAscii(block) && readUsual(block.toString("latin1"))) || byLibrary(block);
}

/** Null where the library should look at it: where a line ends otherwise than by both characters, or a name is none. */
function readUsual(text: string): readonly HeaderPair[] | null {
  const pairs: HeaderPair[] = [];
  let isGrouped = true;
  let end = text.indexOf("\n");
  if (text.indexOf("\r") !== end - 1) return null;
  // What stands in the first line is a status, or nothing.
  for (let at = end + 1; at < text.length; at = end + 1) {
    end = text.indexOf("\n", at);
    if (end <= at || text.indexOf("\r", at) !== end - 1) return null;
    const name = nameAt(text, at, end, pairs.length);
    if (name === null) return null;
    if (name === undefined) continue;
    isGrouped &&= pairs.length < FEW && !isAmong(pairs, name);
    pairs.push([name, valueIn(text, at + name.length + 1, end - 1)]);
  }
  return isGrouped ? pairs : [...Map.groupBy(pairs, ([name]) => name).values()].flat();
}

function isAmong(pairs: readonly HeaderPair[], name: string): boolean {
  for (const [other] of pairs) if (other === name) return true;
  return false;
}

/** Producers write the same names in the same order on every message: those of the last one, by place. */
const expected: string[] = [];

/** Undefined where the line has no colon, null where what is before it is no name. */
function nameAt(text: string, at: number, end: number, place: number): string | undefined | null {
  const guess = expected[place];
  if (guess !== undefined && text.charCodeAt(at + guess.length) === COLON && text.startsWith(guess, at)) return guess;
  // No further than the line: a block may be nothing but lines without one.
  const line = text.slice(at, end);
  const colon = line.indexOf(":");
  if (colon === -1) return undefined;
  const name = line.slice(0, colon);
  if (!NAME.test(name)) return null;
  if (place < FEW) expected[place] = name;
  return name;
}

function valueIn(text: string, from: number, end: number): string {
  let at = from;
  while (text.charCodeAt(at) === SPACE) at++;
  const value = text.slice(at, end);
  // Most have nothing more to trim.
  return text.charCodeAt(at) > SPACE && text.charCodeAt(end - 1) > SPACE ? value : value.trim();
}

/** What `headerPairsIn` gives these back from; of pairs that were read from a block. */
export function headerBlockOf(pairs: readonly HeaderPair[]): Buffer {
  return Buffer.from(`NATS/1.0\r\n${pairs.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`, "utf8");
}

function byLibrary(block: Buffer): readonly HeaderPair[] {
  const pairs: HeaderPair[] = [];
  for (const [name, values] of MsgHdrsImpl.decode(block)) for (const value of values) pairs.push([name, value]);
  return pairs;
}
