import { type PathChange, pathText } from "./diff-value.ts";

const MOST_PATHS = 1_000;
const MOST_CHANGES_A_KEY = 100;

/** One key that is not the same on both sides. */
export interface KeyChange {
  readonly key: string;
  /** The first hundred places; none where the key is on one side only. */
  readonly changes: readonly PathChange[];
  /** Places beyond those. */
  readonly furtherChanges: number;
}

/** `path` with `[*]` for any index. */
export interface PathTotal {
  readonly path: string;
  readonly places: number;
}

/** The keys that differ in one way: how many, and the first of them by name. */
export class KeyTally {
  total = 0;
  samples: KeyChange[] = [];
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  add(key: string, changes: readonly PathChange[] = []): void {
    this.total += 1;
    const last = this.samples.at(-1);
    if (this.samples.length >= this.#most && (last === undefined || key > last.key)) return;
    const furtherChanges = Math.max(0, changes.length - MOST_CHANGES_A_KEY);
    this.samples.push({ key, changes: changes.slice(0, MOST_CHANGES_A_KEY), furtherChanges });
    this.samples.sort((a, b) => (a.key < b.key ? -1 : 1));
    this.samples.length = Math.min(this.samples.length, this.#most);
  }
}

/** How often values differ at each path. Paths may hold ids, so that there may be any number of them. */
export class PathTally {
  /** Places at paths beyond the first thousand. */
  elsewhere = 0;
  readonly #places = new Map<string, number>();

  add(changes: readonly PathChange[]): void {
    for (const { path } of changes) {
      const text = pathText(path, "*");
      const places = this.#places.get(text);
      if (places === undefined && this.#places.size >= MOST_PATHS) this.elsewhere += 1;
      else this.#places.set(text, (places ?? 0) + 1);
    }
  }

  /** Most first. */
  totals(): PathTotal[] {
    const totals = [...this.#places].map(([path, places]) => ({ path, places }));
    return totals.sort((a, b) => b.places - a.places || (a.path < b.path ? -1 : 1));
  }
}
