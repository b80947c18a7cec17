/** A value of its own with the same content, of what a decoded payload can be: plain objects, arrays and scalars. */
export function copyValue(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(copyValue);
  const copy: Record<string, unknown> = Object.getPrototypeOf(value) === null ? Object.create(null) : {};
  for (const key of Object.keys(value)) {
    const member = copyValue((value as Record<string, unknown>)[key]);
    // Set as usual, it would be the copy's prototype.
    if (key === "__proto__") Object.defineProperty(copy, key, { value: member, ...PLAIN });
    else copy[key] = member;
  }
  return copy;
}

const PLAIN = { enumerable: true, configurable: true, writable: true } as const;
