import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { errorMessage, ReplayError } from "@cim-replay/core";
import type { Aggregate } from "./aggregate-table.ts";
import { assertPackable } from "./packable.ts";
import { packChunk, unpackChunk } from "./packed-chunk.ts";

/** States take several times their packed size on the heap, and the collector needs as much again to work in. */
const HOT_SHARE = 1 / 16;
const UNLIMITED_HOT_BYTES = 64 * 1024 * 1024;
/** Room is made for more than the next state, so that one transaction holds many. */
const LEFT_AFTER_MAKING_ROOM = 0.75;

interface Hot {
  readonly aggregate: Aggregate;
  state: unknown;
  /** Packed, when it was last packed. */
  bytes: number;
  sets: number;
  /** It is measured at its first change, second, fourth, eighth, …: what grows evenly is never taken for less than half. */
  measureAt: number;
  isStored: boolean;
}

/**
 * Holds the states of aggregates that have had no event for the longest time in a file, so that memory holds only the others.
 * An adopted aggregate's `state` is a property that reads it back; everybody else goes on as if it were in memory.
 */
export class StateShelf {
  readonly #hotLimit: number;
  readonly #db: DatabaseSync;
  readonly #put: StatementSync;
  readonly #get: StatementSync;
  /** Least recently used first. */
  readonly #hot = new Map<number, Hot>();
  #hotBytes = 0;
  /** States that were put into the file, for tests and the log. */
  shelved = 0;

  private constructor(db: DatabaseSync, hotLimit: number) {
    this.#hotLimit = hotLimit;
    this.#db = db;
    this.#put = db.prepare("INSERT OR REPLACE INTO states (id, packed) VALUES (?, ?)");
    this.#get = db.prepare("SELECT packed FROM states WHERE id = ?");
  }

  /** Throws ReplayError where the folder for temporary files cannot be written. */
  static open(memoryLimitBytes: number | null, folder = tmpdir()): StateShelf {
    const hotLimit = memoryLimitBytes === null ? UNLIMITED_HOT_BYTES : memoryLimitBytes * HOT_SHARE;
    try {
      const own = mkdtempSync(join(folder, "cim-replay-states-"));
      try {
        const db = new DatabaseSync(join(own, "states.db"));
        // Nothing of it is to outlive the process: no journal, no waiting for the disk.
        db.exec("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE");
        db.exec("CREATE TABLE states (id INTEGER PRIMARY KEY, packed BLOB NOT NULL)");
        return new StateShelf(db, hotLimit);
      } finally {
        // The open file goes on without a name, and goes with the process however that ends.
        rmSync(own, { recursive: true });
      }
    } catch (error) {
      throw new ReplayError(
        `Cannot keep states on disk in ${folder}: ${errorMessage(error)}. Let TMPDIR name a folder with room, or run with --buffer-mode memory.`,
      );
    }
  }

  /** Before its first state is set. */
  adopt(aggregate: Aggregate): void {
    Object.defineProperty(aggregate, "state", {
      enumerable: true,
      get: () => this.#read(aggregate),
      set: (state: unknown) => this.#write(aggregate, state),
    });
  }

  close(): void {
    this.#hot.clear();
    if (this.#db.isOpen) this.#db.close();
  }

  #read(aggregate: Aggregate): unknown {
    const hot = this.#hot.get(aggregate.index);
    if (hot) return hot.state;
    const packed = this.#get.get(aggregate.index)?.packed;
    if (!(packed instanceof Uint8Array)) return undefined;
    const state = unpackChunk(packed);
    this.#keep({ aggregate, state, bytes: packed.length, sets: 0, measureAt: 1, isStored: true });
    return state;
  }

  #write(aggregate: Aggregate, state: unknown): void {
    const known = this.#hot.get(aggregate.index);
    if (known) {
      // As the youngest it is put behind the others again.
      this.#hot.delete(aggregate.index);
      this.#hotBytes -= known.bytes;
    }
    const hot = known ?? { aggregate, state, bytes: 0, sets: 0, measureAt: 1, isStored: false };
    hot.state = state;
    hot.isStored = false;
    hot.sets += 1;
    if (hot.sets === hot.measureAt) {
      hot.bytes = pack(hot).length;
      hot.measureAt *= 2;
    }
    this.#keep(hot);
  }

  #keep(hot: Hot): void {
    this.#hot.set(hot.aggregate.index, hot);
    this.#hotBytes += hot.bytes;
    if (this.#hotBytes > this.#hotLimit) this.#makeRoom(hot);
  }

  #makeRoom(youngest: Hot): void {
    this.#db.exec("BEGIN");
    for (const [index, hot] of this.#hot) {
      if (hot === youngest || this.#hotBytes <= this.#hotLimit * LEFT_AFTER_MAKING_ROOM) break;
      if (!hot.isStored) {
        this.#put.run(index, pack(hot));
        this.shelved += 1;
      }
      this.#hot.delete(index);
      this.#hotBytes -= hot.bytes;
    }
    this.#db.exec("COMMIT");
  }
}

function pack({ state, aggregate }: Hot): Uint8Array {
  return packChunk(state, () => assertPackable(state, aggregate.key));
}
