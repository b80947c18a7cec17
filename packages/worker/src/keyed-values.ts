/** What is used of a Map, so that it may lie elsewhere. A value that was got is for reading. */
export interface KeyedValues<Value> {
  get(key: string): Value | undefined;
  set(key: string, value: Value): void;
  delete(key: string): void;
  entries(): Iterable<readonly [string, Value]>;
}
