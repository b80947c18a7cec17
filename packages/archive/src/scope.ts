import { entryKey } from "@cim-replay/core";

/** The entries that an archive speaks for: what it does not hold of them was not there. */
export interface Scope {
  /** Key filters that cover it, disjoint. */
  readonly filters: readonly string[];
  holds(key: string): boolean;
}

export function scopeOf(domains: readonly string[], aggregateId: string | null): Scope {
  const [only] = domains;
  if (aggregateId !== null && only !== undefined) {
    const own = entryKey(only, aggregateId);
    return { filters: [own], holds: (key) => key === own };
  }
  const prefixes = new Set(domains.map(prefixOf));
  return {
    filters: [...prefixes].map((prefix) => `${prefix}>`),
    holds: (key) => prefixes.has(key.slice(0, key.indexOf(".") + 1)),
  };
}

/** What the keys of a domain's entries begin with. */
function prefixOf(domain: string): string {
  return entryKey(domain, "x").slice(0, -1);
}
