import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";

/** Ten years and a bit: another day, month, year and hour. */
const SHIFT_MS = 3_700 * 86_400_000 + 5_000_000;

/** What a pure function has no use for, by the object that holds it. */
type Holder = Record<string, unknown>;
const IMPURE: readonly (readonly [holder: object, name: string, label: string, isClock: boolean])[] = [
  [Math, "random", "Math.random()", false],
  [performance, "now", "performance.now()", true],
  // One object and several: a program may ask the global, the module, or a name that it imported from it.
  [globalThis.crypto, "randomUUID", "crypto.randomUUID()", false],
  [globalThis.crypto, "getRandomValues", "crypto.getRandomValues()", false],
  [crypto, "randomUUID", "crypto.randomUUID()", false],
  [crypto, "randomBytes", "crypto.randomBytes()", false],
  [crypto, "randomInt", "crypto.randomInt()", false],
  // Before `hrtime`, in front of which something stands afterwards.
  [process.hrtime, "bigint", "process.hrtime.bigint()", false],
  [process, "hrtime", "process.hrtime()", false],
];

/**
 * Runs `work` with clock and randomness watched: `onUse` hears of each call, by name. With `isShifted`, clocks also show a
 * time ten years later. Calls of `new Date(…)` with arguments are nobody's business. `work` must be synchronous: whatever
 * else ran meanwhile would be watched too. Not seen: a `Date` that a module put aside when it was loaded.
 */
export function watched<Result>(
  work: () => Result,
  { onUse, isShifted }: { onUse: (what: string) => void; isShifted: boolean },
): Result {
  const undo: (() => void)[] = [];
  try {
    for (const [holder, name, label, isClock] of IMPURE) {
      undo.push(replace(holder, name, (original) => reporting(original, label, isShifted && isClock, onUse)));
    }
    undo.push(replace(Date, "now", (now) => reporting(now, "Date.now()", isShifted, onUse)));
    undo.push(replace(globalThis, "Date", () => watchedDate(isShifted, onUse)));
    syncBuiltinESMExports();
    return work();
  } finally {
    for (const restore of undo.reverse()) restore();
    syncBuiltinESMExports();
  }
}

type Anything = (this: unknown, ...args: unknown[]) => unknown;

function reporting(original: Anything, label: string, isShifted: boolean, onUse: (what: string) => void): Anything {
  return new Proxy(original, {
    apply(target, self, args) {
      onUse(label);
      const result = Reflect.apply(target, self, args);
      return isShifted && typeof result === "number" ? result + SHIFT_MS : result;
    },
  });
}

const RealDate = Date;
const realNow = Date.now;

function watchedDate(isShifted: boolean, onUse: (what: string) => void): DateConstructor {
  const present = (what: string) => {
    onUse(what);
    return new RealDate(realNow() + (isShifted ? SHIFT_MS : 0));
  };
  // One that only stands in front: what it makes are Dates, for `instanceof` and for copying too.
  const stand: DateConstructor = new Proxy(RealDate, {
    apply: () => present("Date()").toString(),
    construct: (target, args, maker) =>
      args.length === 0 ? present("new Date()") : Reflect.construct(target, args, maker === stand ? target : maker),
  });
  return stand;
}

/** What undoes it. A property that was inherited is inherited again. */
function replace(holder: object, name: string, by: (original: Anything) => unknown): () => void {
  const own = Object.getOwnPropertyDescriptor(holder, name);
  const original = (holder as Holder)[name];
  if (typeof original !== "function") return () => undefined;
  Object.defineProperty(holder, name, { value: by(original as Anything), configurable: true, writable: true });
  return () => {
    if (own) Object.defineProperty(holder, name, own);
    else Reflect.deleteProperty(holder, name);
  };
}
