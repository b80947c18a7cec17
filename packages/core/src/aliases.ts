/** Types that mean the same event, by the name that stands for all of them. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ["nodecreated", "nodeadded"],
  ["edgecreated", "edgeadded"],
  ["edgeconnected", "edgeadded"],
  ["nodesconnected", "edgeadded"],
]);

const MAX_REMEMBERED_TYPES = 4_096;
const remembered = new Map<string, string>();

/**
 * The one name of an event type in all its spellings: lower case without separators, aliases as one. `NodeCreated`,
 * `node_added`, `node-added`, `node.added` and `NodeAdded` all give `nodeadded`. For comparing, not for showing.
 */
export function canonicalType(type: string): string {
  const known = remembered.get(type);
  if (known !== undefined) return known;
  const spelling = plainSpelling(type);
  const canonical = ALIASES.get(spelling) ?? spelling;
  // Types come from input: there may be any number of them.
  if (remembered.size >= MAX_REMEMBERED_TYPES) remembered.clear();
  remembered.set(type, canonical);
  return canonical;
}

/** Whether two event types are the same event: equal, another spelling, or an alias. */
export function sameType(a: string, b: string): boolean {
  return a === b || canonicalType(a) === canonicalType(b);
}

/** The type in lower case without separators; aliases stay apart. */
export function plainSpelling(type: string): string {
  return type.replace(/[-_. ]/g, "").toLowerCase();
}
