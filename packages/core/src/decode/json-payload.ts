import { errorMessage } from "../errors.ts";
import { Malformed, oneLine } from "./malformed.ts";

/** Containers inside containers, at most: what folds or writes an event's payload walks it by recursion. */
export const MAX_PAYLOAD_DEPTH = 256;

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

/** The value of a JSON text in UTF-8. Keys like `__proto__` become plain properties; of a key given twice, the last holds. */
export function parseJson(data: Uint8Array): unknown {
  let text: string;
  try {
    text = strictUtf8.decode(data);
  } catch {
    return new Malformed("the payload is no valid UTF-8");
  }
  return parseJsonText(text);
}

/** The same of what is text already. */
export function parseJsonText(text: string): unknown {
  if (isTooDeep(text)) return new Malformed(`the payload is nested deeper than ${MAX_PAYLOAD_DEPTH} levels`);
  try {
    return JSON.parse(text);
  } catch (error) {
    return new Malformed(`the payload is no JSON: ${oneLine(errorMessage(error))}`);
  }
}

function isTooDeep(text: string): boolean {
  // Each level needs an opening and a closing bracket; and few texts hold so many opening ones at all.
  return text.length > 2 * MAX_PAYLOAD_DEPTH && holdsManyBrackets(text) && depthOf(text) > MAX_PAYLOAD_DEPTH;
}

function holdsManyBrackets(text: string): boolean {
  let count = 0;
  for (const bracket of "{[") {
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) {
      if (++count > MAX_PAYLOAD_DEPTH) return true;
    }
  }
  return false;
}

/** The greatest depth of brackets outside strings. Of a text that is no JSON it may give any number. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === '"') i = endOfString(text, i);
    else if (character === "{" || character === "[") deepest = Math.max(deepest, ++depth);
    else if (character === "}" || character === "]") depth--;
  }
  return deepest;
}

/** Index of the quote that ends the string begun at `start`. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === '"') return i;
  }
  return text.length;
}
