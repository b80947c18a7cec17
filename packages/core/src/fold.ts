import { canonicalType, plainSpelling } from "./aliases.ts";
import { canonicalJson } from "./canonical-json.ts";
import { ReplayError, UsageError } from "./errors.ts";
import type { ReplayEvent } from "./event.ts";
import type { Projection } from "./projection.ts";

/** A projection made ready for the hot path. */
export interface CompiledProjection {
  readonly name: string;
  initial(aggregateId: string): unknown;
  /** Upcasts and evolves. Throws what the projection throws, and a ReplayError where it returns undefined or a promise. */
  apply(state: unknown, event: ReplayEvent): unknown;
  /** Canonical JSON text of the entry's value. Throws a ReplayError where it has no JSON form or is nested too deep. */
  encode(state: unknown): string;
  /** The state of an entry's parsed value. Throws a ReplayError where the projection has `encode` and no `decode`. */
  decode(value: unknown): unknown;
}

type Upcaster = (payload: unknown, event: ReplayEvent) => unknown;

export function compileProjection(projection: Projection): CompiledProjection {
  const { name } = projection;
  const findUpcaster = upcasterFinder(projection.upcast ?? {});
  const hasEncode = projection.encode !== undefined;
  return {
    name,
    initial: (aggregateId) => settled(projection.initial(aggregateId), "initial", name),
    apply(state, event) {
      const upcaster = findUpcaster?.(event.type);
      const seen = upcaster === undefined ? event : withPayload(event, upcaster(event.payload, event), name);
      const next = projection.evolve(state, seen);
      return next === state ? next : settled(next, "evolve", name);
    },
    encode: (state) => canonicalJson(hasEncode ? settled(projection.encode?.(state), "encode", name) : state),
    decode(value) {
      if (projection.decode) return settled(projection.decode(value), "decode", name);
      if (!hasEncode) return value;
      throw new ReplayError(
        `Cannot go on from an entry with projection ${name}: it has encode and no decode. Give it a decode(value).`,
      );
    },
  };
}

const MAX_REMEMBERED_TYPES = 1_024;

/**
 * Finds the upcaster of an event type: the one under that very type, else under another spelling of it, else under an
 * alias, in the order in which they are written. Undefined where the projection has none at all.
 */
function upcasterFinder(
  upcast: Readonly<Record<string, Upcaster>>,
): ((type: string) => Upcaster | undefined) | undefined {
  const entries = Object.entries(upcast);
  if (entries.length === 0) return undefined;
  const exact = new Map(entries);
  const bySpelling = new Map<string, Upcaster>();
  const byAlias = new Map<string, Upcaster>();
  for (const [type, upcaster] of entries.reverse()) {
    bySpelling.set(plainSpelling(type), upcaster);
    byAlias.set(canonicalType(type), upcaster);
  }
  const remembered = new Map<string, Upcaster | undefined>();
  return (type) => {
    const known = remembered.get(type);
    if (known !== undefined || remembered.has(type)) return known;
    const found = exact.get(type) ?? bySpelling.get(plainSpelling(type)) ?? byAlias.get(canonicalType(type));
    if (remembered.size >= MAX_REMEMBERED_TYPES) remembered.clear();
    remembered.set(type, found);
    return found;
  };
}

/** The event as evolve shall see it. Inherits the rest, so that what is parsed only when asked for stays so. */
function withPayload(event: ReplayEvent, payload: unknown, name: string): ReplayEvent {
  return Object.create(event, {
    payload: { value: settled(payload, `upcast of ${event.type}`, name), enumerable: true },
  }) as ReplayEvent;
}

function settled(value: unknown, from: string, name: string): unknown {
  if (value === undefined) {
    throw new ReplayError(
      `Cannot fold with projection ${name}: its ${from} returned undefined. Return a value from it.`,
    );
  }
  if (isThenable(value)) {
    // Nobody waits for it: its failure must not end the process as an unhandled rejection.
    Promise.resolve(value).catch(() => {});
    throw new ReplayError(
      `Cannot fold with projection ${name}: its ${from} returned a promise. It must be synchronous: no async, no I/O.`,
    );
  }
  return value;
}

function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/**
 * Makes sure that an unknown default export is a projection, and returns it as it is (methods keep their `this`).
 * `where` names the file or setting it came from. Throws a UsageError that names all that is wrong.
 */
export function parseProjection(value: unknown, where: string): Projection {
  const problems = typeof value === "object" && value !== null ? problemsOf(value) : [`it is ${describe(value)}`];
  if (problems.length > 0) {
    throw new UsageError(
      `Cannot use ${where} as a projection: ${problems.join("; ")}. ` +
        "Its default export must be { name, initial(aggregateId), evolve(state, event), domains?, upcast?, encode?(state), decode?(value) }.",
    );
  }
  return value as Projection;
}

function problemsOf(value: object): string[] {
  const { name, domains, initial, evolve, upcast, encode, decode } = value as Record<string, unknown>;
  const problems = [
    typeof name === "string" && name !== "" ? null : `name is ${describe(name)}, not a text`,
    domains === undefined || isListOfTexts(domains) ? null : "domains is not a list of names",
    functionProblem("initial", initial),
    functionProblem("evolve", evolve),
    encode === undefined ? null : functionProblem("encode", encode),
    decode === undefined ? null : functionProblem("decode", decode),
    ...(upcast === undefined ? [] : upcastProblems(upcast)),
  ];
  return problems.filter((problem) => problem !== null);
}

function upcastProblems(upcast: unknown): (string | null)[] {
  if (typeof upcast !== "object" || upcast === null || Array.isArray(upcast)) {
    return [`upcast is ${describe(upcast)}, not an object of functions by event type`];
  }
  return Object.entries(upcast).map(([type, upcaster]) => functionProblem(`upcast.${type}`, upcaster));
}

function functionProblem(what: string, value: unknown): string | null {
  if (typeof value !== "function") return `${what} is ${describe(value)}, not a function`;
  // Known when loaded, an async evolve need not fail at the first event.
  const tag = Object.prototype.toString.call(value);
  return tag === "[object Function]" ? null : `${what} is an ${tag.slice(8, -1)}, it must be synchronous`;
}

function isListOfTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === "string" && item !== "");
}

function describe(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (value === "") return "empty";
  return `a ${Array.isArray(value) ? "list" : typeof value}`;
}
