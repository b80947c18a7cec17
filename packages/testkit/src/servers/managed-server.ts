import type { ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { ReplayError } from "@cim-replay/core";
import { endChild, endWithParent } from "./child.ts";
import { isPortTaken, launch, logFileOf } from "./launch.ts";
import { freePort } from "./ports.ts";
import type { ServerProgram } from "./program.ts";

export interface PlaceOptions {
  /** Folder for data and log, kept by stop(). Default: a temporary one, removed by stop(). */
  readonly dir?: string;
  /** Loopback port; default a free one. */
  readonly port?: number;
}

/** A server that this process started. It ends with this process, however that ends. */
export interface ServerHandle {
  readonly url: string;
  readonly port: number;
  /** Of the process now running, or of the last one; another one after restart(). */
  readonly pid: number;
  readonly dir: string;
  readonly logFile: string;
  /** SIGTERM, waits for the end, removes data that lie in a temporary folder. Twice is no error. */
  stop(): Promise<void>;
  /** SIGKILL, waits for the end, keeps the data for restart(). */
  kill(): Promise<void>;
  /**
   * Ends the server if it runs (SIGTERM) and starts it again on the same port and data; resolves when it is ready.
   * After stop() a temporary folder is empty.
   */
  restart(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
}

const PORT_ATTEMPTS = 10;

/** Starts the program on the given or a free port; resolves when it is ready. Throws ReplayError with its last log line. */
export async function startManaged(program: ServerProgram, options: PlaceOptions): Promise<ServerHandle> {
  const isTemporary = options.dir === undefined;
  const dir = isTemporary ? await mkdtemp(join(tmpdir(), `cim-replay-${program.scheme}-`)) : resolve(options.dir);
  try {
    for (let attempt = 1; ; attempt++) {
      const server = new ManagedServer(program, dir, isTemporary, options.port ?? (await freePort()));
      const failure = await server.start();
      if (failure === null) return server;
      // Somebody else took the free port in between.
      const again = options.port === undefined && isPortTaken(failure) && attempt < PORT_ATTEMPTS;
      if (!again) throw new ReplayError(`Cannot start ${program.path} on port ${server.port}: ${failure}.`);
    }
  } catch (error) {
    if (isTemporary) await rm(dir, { recursive: true, force: true });
    throw error;
  }
}

class ManagedServer implements ServerHandle {
  readonly url: string;
  readonly port: number;
  readonly dir: string;
  readonly logFile: string;
  readonly #program: ServerProgram;
  readonly #isTemporary: boolean;
  #child: ChildProcess | null = null;

  constructor(program: ServerProgram, dir: string, isTemporary: boolean, port: number) {
    this.#program = program;
    this.#isTemporary = isTemporary;
    this.dir = dir;
    this.port = port;
    this.url = `${program.scheme}://127.0.0.1:${port}`;
    this.logFile = logFileOf(program, dir);
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new ReplayError(`Cannot name the process of ${this.url}: it never ran.`);
    return this.#child.pid;
  }

  /** Null when ready, else why it is not. */
  async start(): Promise<string | null> {
    const { failure } = await launch(this.#program, this.dir, this.port, (child, pid) => {
      this.#child = child;
      endWithParent(child, pid, this.#isTemporary ? this.dir : null);
    });
    return failure;
  }

  async stop(): Promise<void> {
    await this.#end("SIGTERM");
    if (this.#isTemporary) await rm(this.dir, { recursive: true, force: true });
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async restart(): Promise<void> {
    await this.#end("SIGTERM");
    const failure = await this.start();
    if (failure !== null) throw new ReplayError(`Cannot restart ${this.url}: ${failure}.`);
  }

  pause(): void {
    this.#child?.kill("SIGSTOP");
  }

  resume(): void {
    this.#child?.kill("SIGCONT");
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    if (this.#child !== null) await endChild(this.#child, signal);
  }
}
