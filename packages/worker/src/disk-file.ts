import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { KeyedValues } from "./keyed-values.ts";
import { onDisk } from "./on-disk.ts";
import { packChunk, unpackChunk } from "./packed-chunk.ts";
import { RecordFile } from "./record-file.ts";

const CACHE_SHARE = 1 / 32;
const UNLIMITED_CACHE_BYTES = 32 * 1024 * 1024;

/**
 * Files for what memory has no room for: records by position, and a database for what is found and sorted by keys, which is
 * read through a cache of a fixed size. A store that maps its file into memory, as LMDB does, would have all of it counted as the
 * process's own.
 */
export class DiskFile {
  readonly db: DatabaseSync;
  readonly #folder: string;
  readonly #records: RecordFile[] = [];
  #tables = 0;

  private constructor(db: DatabaseSync, folder: string) {
    this.db = db;
    this.#folder = folder;
  }

  /** Throws ReplayError where the folder for temporary files cannot be written. */
  static open(memoryLimitBytes: number | null, folder = tmpdir()): DiskFile {
    const cacheBytes = memoryLimitBytes === null ? UNLIMITED_CACHE_BYTES : memoryLimitBytes * CACHE_SHARE;
    const db = withoutName(folder, (own) => {
      const opened = new DatabaseSync(join(own, "keys.db"));
      // Nothing of it is to outlive the process: no journal, no waiting for the disk, one transaction for ever.
      opened.exec("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE");
      opened.exec(`PRAGMA temp_store = FILE; PRAGMA cache_size = -${Math.ceil(cacheBytes / 1024)}; BEGIN`);
      // So that the file is there before it loses its name.
      opened.exec("CREATE TABLE opened (id INTEGER PRIMARY KEY)");
      return opened;
    });
    return new DiskFile(db, folder);
  }

  /** Closed with this. */
  newRecords(): RecordFile {
    const records = withoutName(this.#folder, (own) => new RecordFile(join(own, "records")));
    this.#records.push(records);
    return records;
  }

  /** A name that no other table of the database has. */
  newTable(what: string): string {
    return `${what}_${this.#tables++}`;
  }

  map<Value>(): KeyedValues<Value> {
    return new DiskMap<Value>(this.db, this.newTable("map"));
  }

  close(): void {
    if (!this.db.isOpen) return;
    this.db.close();
    for (const records of this.#records) records.close();
  }
}

/** Opens a file in a folder that is gone afterwards: it goes on without a name, and goes with the process however that ends. */
function withoutName<Opened>(folder: string, open: (own: string) => Opened): Opened {
  return onDisk(() => {
    const own = mkdtempSync(join(folder, "cim-replay-states-"));
    try {
      return open(own);
    } finally {
      rmSync(own, { recursive: true });
    }
  }, folder);
}

class DiskMap<Value> implements KeyedValues<Value> {
  readonly #get: StatementSync;
  readonly #set: StatementSync;
  readonly #delete: StatementSync;
  readonly #entries: StatementSync;

  constructor(db: DatabaseSync, table: string) {
    db.exec(`CREATE TABLE ${table} (key TEXT PRIMARY KEY, packed BLOB NOT NULL) WITHOUT ROWID`);
    this.#get = db.prepare(`SELECT packed FROM ${table} WHERE key = ?`);
    this.#set = db.prepare(`INSERT OR REPLACE INTO ${table} (key, packed) VALUES (?, ?)`);
    this.#delete = db.prepare(`DELETE FROM ${table} WHERE key = ?`);
    this.#entries = db.prepare(`SELECT key, packed FROM ${table}`);
  }

  get(key: string): Value | undefined {
    const packed = this.#get.get(key)?.packed;
    return packed instanceof Uint8Array ? unpacked<Value>(packed) : undefined;
  }

  set(key: string, value: Value): void {
    const packed = packChunk(value, () => undefined);
    onDisk(() => this.#set.run(key, packed));
  }

  delete(key: string): void {
    this.#delete.run(key);
  }

  *entries(): Generator<[string, Value]> {
    for (const { key, packed } of this.#entries.iterate()) {
      if (typeof key === "string" && packed instanceof Uint8Array) yield [key, unpacked<Value>(packed)];
    }
  }
}

/** What `set` packed. */
function unpacked<Value>(packed: Uint8Array): Value {
  return unpackChunk(packed) as Value;
}
