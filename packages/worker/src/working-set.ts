import { setImmediate as turn } from "node:timers/promises";
import { formatSize, type Log, ReplayError, type RunSettings } from "@cim-replay/core";
import { type Aggregates, AggregateTable } from "./aggregate-table.ts";
import type { DiskFile } from "./disk-file.ts";
import type { DiskTable } from "./disk-table.ts";
import type { KeyedValues } from "./keyed-values.ts";
import { hotBytesUnder, MemoryGuard } from "./memory-guard.ts";

const MOVED_BETWEEN_TURNS = 1_000;

export type MemorySettings = Pick<RunSettings, "memoryLimitBytes" | "gcInterval" | "bufferMode">;

interface SetSize {
  readonly domain: string;
  readonly targets: number;
}

/** A map that may move to a file while it is in use. */
class MovableMap<Value> implements KeyedValues<Value> {
  #values: KeyedValues<Value>;

  constructor(values: KeyedValues<Value>) {
    this.#values = values;
  }

  get(key: string): Value | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: Value): void {
    this.#values.set(key, value);
  }

  delete(key: string): void {
    this.#values.delete(key);
  }

  entries(): Iterable<readonly [string, Value]> {
    return this.#values.entries();
  }

  moveTo(file: DiskFile): void {
    const moved = file.map<Value>();
    for (const [key, value] of this.#values.entries()) moved.set(key, value);
    this.#values = moved;
  }
}

/**
 * All that a unit holds which grows with its aggregates: a table of them for each target, and maps by entry key. In memory as long as they fit under
 * the limit, then mostly in a file, or from the start; see the setting `buffer-mode`.
 */
export class WorkingSet {
  /** By target. */
  tables: readonly Aggregates[];
  readonly #inMemory: readonly AggregateTable[];
  readonly #domain: string;
  readonly #settings: MemorySettings;
  readonly #mode: RunSettings["bufferMode"];
  readonly #guard: MemoryGuard;
  readonly #log: Log;
  readonly #maps: MovableMap<unknown>[] = [];
  #file: DiskFile | null = null;
  #onDisk: readonly DiskTable[] = [];

  private constructor({ domain, targets }: SetSize, settings: MemorySettings, log: Log, guard: MemoryGuard) {
    this.#domain = domain;
    this.#settings = settings;
    this.#mode = settings.bufferMode;
    this.#guard = guard;
    this.#log = log;
    this.tables = this.#inMemory = Array.from({ length: targets }, () => new AggregateTable(domain));
  }

  static async open(
    size: SetSize,
    settings: MemorySettings,
    log: Log,
    guard = new MemoryGuard(settings),
  ): Promise<WorkingSet> {
    const set = new WorkingSet(size, settings, log, guard);
    if (settings.bufferMode === "disk") await set.#moveToDisk();
    return set;
  }

  /** With nothing in it. */
  emptyCopy(): Promise<WorkingSet> {
    const size = { domain: this.#domain, targets: this.tables.length };
    return WorkingSet.open(size, this.#settings, this.#log, this.#guard);
  }

  table(at: number): Aggregates {
    const table = this.tables[at];
    if (!table) throw new Error(`no target ${at}`);
    return table;
  }

  get isOnDisk(): boolean {
    return this.#file !== null;
  }

  /** Aggregates that were put into the file, again and again where they had more events. */
  get shelved(): number {
    return this.#onDisk.reduce((sum, table) => sum + table.shelved, 0);
  }

  /** A copy of everything would not fit beside it. */
  get isTight(): boolean {
    return this.isOnDisk || this.#guard.bytes * 2 > (this.#guard.limitBytes ?? Number.POSITIVE_INFINITY);
  }

  map<Value>(): KeyedValues<Value> {
    const map = new MovableMap<Value>(this.#file?.map() ?? new Map<string, Value>());
    this.#maps.push(map as MovableMap<unknown>);
    return map;
  }

  /**
   * Call between any two batches of work, `events` handled so far: makes room where memory nears the limit, by moving to disk.
   * Throws ReplayError where that is not allowed or does not help.
   */
  async relieve(events: number): Promise<void> {
    if (this.#mode !== "auto" || this.#file !== null) {
      this.watch(events);
      return;
    }
    const look = this.#guard.look(events);
    if (look === "near" || look === "over") {
      const [has, limit] = [formatSize(this.#guard.bytes), formatSize(this.#guard.limitBytes ?? 0)];
      this.#log.warn(
        { events, aggregates: this.tables.reduce((sum, table) => sum + table.size, 0) },
        `memory nears its limit (${has} of ${limit}): what waits for events moves to disk, which is slower`,
      );
      await this.#moveToDisk();
    }
  }

  /** As `relieve`, in the middle of reading a table: nothing moves. */
  watch(events: number): void {
    const look = this.#guard.look(events);
    if (look === "over") throw this.#exceeded(events);
    if (look === "near" && this.#guard.isCramped) for (const table of this.#onDisk) table.holdLess();
  }

  /** What it holds is gone then. */
  close(): void {
    this.#file?.close();
  }

  async #moveToDisk(): Promise<void> {
    // With it comes a database, which other runs do not need.
    const [{ DiskFile: File }, { DiskTable: Table }] = await Promise.all([
      import("./disk-file.ts"),
      import("./disk-table.ts"),
    ]);
    const file = File.open(this.#guard.limitBytes);
    this.#file = file;
    const hotBytes = hotBytesUnder(this.#guard.limitBytes) / this.tables.length;
    const tables: DiskTable[] = [];
    for (const inMemory of this.#inMemory) {
      const table = new Table(this.#domain, file, hotBytes);
      await this.#move(inMemory, table);
      tables.push(table);
    }
    this.tables = this.#onDisk = tables;
    for (const map of this.#maps) map.moveTo(file);
  }

  async #move(from: AggregateTable, to: DiskTable): Promise<void> {
    for (const aggregate of from.drain()) {
      to.adopt(aggregate);
      if (to.size % MOVED_BETWEEN_TURNS !== 0) continue;
      // Heartbeats and locks starve where the event loop does not turn.
      await turn();
      this.#guard.look(0);
    }
  }

  #exceeded(events: number): ReplayError {
    const limit = formatSize(this.#guard.limitBytes ?? 0);
    return new ReplayError(
      `Cannot stay under --memory-limit ${limit}: the worker holds ${formatSize(this.#guard.bytes)} after ${events} messages. ` +
        (this.#mode === "memory"
          ? "Go on with --resume --buffer-mode disk, raise the limit"
          : "Raise the limit, read less ahead with --prefetch and --batch-size") +
        ", or give each unit fewer aggregates with more --parallel and --units.",
    );
  }
}
