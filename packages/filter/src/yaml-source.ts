import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
} from "yaml";
import { errorMessage } from "@cim-replay/core";

/** Of a few lines many aliases make gigabytes. */
export const MAX_ALIASES = 50;

/** One thing that is wrong in a file; lines and columns count from 1. */
export interface YamlMistake {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** The text of a file that people write, and where in it everything stands. */
export class YamlSource {
  readonly #text: string;
  readonly #lines = new LineCounter();
  readonly #document: Document.Parsed;

  constructor(text: string) {
    this.#text = text;
    this.#document = parseDocument(text, { lineCounter: this.#lines });
  }

  /** The plain value, or why this is no YAML that may be read. */
  read(): { readonly value: unknown } | YamlMistake[] {
    // A warning is, for example, a tag that nobody knows.
    const faults = [...this.#document.errors, ...this.#document.warnings];
    if (faults.length > 0) {
      return faults.map(({ message, pos: [offset] }) => this.#mistake(offset, firstLine(message)));
    }
    try {
      return { value: this.#document.toJS({ maxAliasCount: MAX_ALIASES }) };
    } catch (error) {
      return [this.#mistake(0, errorMessage(error))];
    }
  }

  /** At a value, or at the innermost part of the path that is there. `offset`: within the text that the value is. */
  mistakeAt(path: readonly PropertyKey[], message: string, offset = 0): YamlMistake {
    const node = this.#nodeAt(path);
    const start = isScalar(node) ? this.#placeIn(node, offset) : node?.range?.[0];
    return this.#mistake(start ?? 0, message);
  }

  /** At a key, where the mistake is that it is there. */
  mistakeAtKey(path: readonly PropertyKey[], key: string, message: string): YamlMistake {
    const parent = this.#nodeAt(path);
    const pair = isMap(parent) ? parent.items.find((item) => isScalar(item.key) && item.key.value === key) : undefined;
    const start = isNode(pair?.key) ? pair.key.range?.[0] : parent?.range?.[0];
    return this.#mistake(start ?? 0, message);
  }

  #mistake(offset: number, message: string): YamlMistake {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1), message };
  }

  #nodeAt(path: readonly PropertyKey[]): Node | null {
    let found: Node | null = this.#document.contents;
    for (const key of path) {
      const container: unknown = isAlias(found) ? found.resolve(this.#document) : found;
      const inner: unknown = isCollection(container) ? container.get(key, true) : undefined;
      if (!isNode(inner)) break;
      found = inner;
    }
    return found;
  }

  /**
   * Where the character at `offset` of a text stands in the file: text and file are walked side by side over quotes,
   * folded lines and indentation. Where escapes make them part, it is the start of the text.
   */
  #placeIn({ value, range, type }: Scalar, offset: number): number | undefined {
    const start = range?.[0];
    if (start === undefined || typeof value !== "string" || offset === 0) return start;
    const file = this.#text;
    const isBlock = type === "BLOCK_LITERAL" || type === "BLOCK_FOLDED";
    const firstLineAt = file.indexOf("\n", start) + 1;
    // In a block, what is indented more than its first line is part of the text.
    const indent = isBlock ? skipBlanks(file, firstLineAt) - firstLineAt : Number.POSITIVE_INFINITY;
    let at = isBlock ? firstLineAt + indent : start + (type === "PLAIN" ? 0 : 1);
    const nextLine = (from: number) => skipBlanks(file, file.indexOf("\n", from) + 1, indent);
    for (let i = 0; i < offset; i++) {
      const isLineEnd = file[at] === "\n" || file[at] === "\r";
      if (isLineEnd ? !/\s/.test(value[i] ?? "") : file[at] !== value[i]) return start;
      at = isLineEnd ? nextLine(at) : at + 1;
      // Folding makes an empty line of two line ends.
      const isFolded = isLineEnd && type !== "BLOCK_LITERAL" && value[i] === "\n" && value[i - 1] !== "\n";
      if (isFolded) at = nextLine(at);
    }
    return at;
  }
}

function skipBlanks(text: string, from: number, most = Number.POSITIVE_INFINITY): number {
  let at = from;
  while (at - from < most && (text[at] === " " || text[at] === "\t")) at++;
  return at;
}

function firstLine(message: string): string {
  return (message.split("\n")[0] ?? message).replace(/ at line \d+, column \d+:?$/, "");
}
