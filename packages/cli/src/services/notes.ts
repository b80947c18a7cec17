import { readFile, rm } from "node:fs/promises";
import { errorMessage, UsageError } from "@cim-replay/core";
import { z } from "zod";
import { checkWritable, writeWholeFile } from "../output/write-whole-file.ts";
import { parseJson } from "./parse-json.ts";

const noteSchema = z.strictObject({
  kind: z.string(),
  target: z.string(),
  replicas: z.number().nullable(),
  noted_at: z.string(),
});
const fileSchema = z.strictObject({ version: z.literal(1), stopped: z.record(z.string(), noteSchema) });
export type Note = z.infer<typeof noteSchema>;

/**
 * What ran before it was stopped, by the service's name, kept until it runs again. In a file and not in the ledger: services
 * are stopped when NATS is in trouble too, and what cannot be remembered must not be stopped.
 */
export class Notes {
  readonly path: string;
  #stopped: ReadonlyMap<string, Note>;

  private constructor(path: string, stopped: ReadonlyMap<string, Note>) {
    this.path = path;
    this.#stopped = stopped;
  }

  /** Throws UsageError where the file is there and cannot be read for what it should be. */
  static async open(path: string): Promise<Notes> {
    return new Notes(path, await read(path));
  }

  /** Before anything is stopped: a note that cannot be written would come too late. */
  async checkWritable(): Promise<void> {
    await checkWritable(this.path);
  }

  of(name: string): Note | undefined {
    return this.#stopped.get(name);
  }

  names(): string[] {
    return [...this.#stopped.keys()];
  }

  /** On disk when it resolves. */
  async keep(name: string, note: Omit<Note, "noted_at">): Promise<void> {
    await this.#change((stopped) => stopped.set(name, { ...note, noted_at: new Date().toISOString() }));
  }

  async forget(name: string): Promise<void> {
    await this.#change((stopped) => stopped.delete(name));
  }

  /** From what the file holds by now: a second command may be at work beside this one. */
  async #change(change: (stopped: Map<string, Note>) => void): Promise<void> {
    const stopped = await read(this.path);
    change(stopped);
    this.#stopped = stopped;
    if (stopped.size === 0) return rm(this.path, { force: true });
    const content = { version: 1, stopped: Object.fromEntries(stopped) };
    await writeWholeFile(this.path, `${JSON.stringify(content, null, 2)}\n`);
  }
}

async function read(path: string): Promise<Map<string, Note>> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return new Map();
    throw new UsageError(`Cannot read ${path}: ${errorMessage(error)}. Name another file with --state-file.`);
  }
  const parsed = fileSchema.safeParse(parseJson(text));
  if (!parsed.success) {
    throw new UsageError(
      `Cannot read ${path}: it does not hold what stop-all-services remembers. Move it away, or name another file with --state-file.`,
    );
  }
  return new Map(Object.entries(parsed.data.stopped));
}
