import { realpath, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ReplayError } from "@cim-replay/core";
import type { ServerBinary } from "./binary.ts";
import { dialogue } from "./dialogue.ts";
import { locateRedis } from "./locate.ts";
import { type PlaceOptions, type ServerHandle, startManaged } from "./managed-server.ts";
import type { ServerProgram } from "./program.ts";

export interface RedisOptions extends PlaceOptions {
  /** Program to start; default what locateRedis() finds. */
  readonly binary?: ServerBinary;
  /** Further lines of the server's configuration file, e.g. "maxmemory 1mb"; the last of a name counts. */
  readonly config?: string;
}

export interface RedisHandle extends ServerHandle {
  /** FLUSHALL: what Redis held is gone, connections stay. */
  flushAll(): Promise<void>;
}

/** Starts a redis-server on a loopback port, with an append-only file: its data outlive kill(). Resolves when it answers. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisHandle> {
  const handle = await startManaged(redisProgram(options.binary ?? (await locateRedis()), options.config), options);
  return Object.assign(handle, {
    async flushAll() {
      const answer = await dialogue(handle.port, "FLUSHALL\r\n", (text) => text.includes("\r\n"), 10_000);
      if (answer !== "+OK\r\n")
        throw new ReplayError(`Cannot empty ${handle.url}: it answers ${JSON.stringify(answer)}.`);
    },
  });
}

export function redisProgram(binary: ServerBinary, config = ""): ServerProgram {
  let folder = "";
  return {
    scheme: "redis",
    path: binary.path,
    env: binary.env,
    async prepare(dir, port) {
      folder = await realpath(dir);
      const file = join(dir, "redis.conf");
      await writeFile(file, configText(dir, port) + config);
      return [file];
    },
    isReady: async (port) => answersFrom(folder, port),
  };
}

function configText(dir: string, port: number): string {
  return `bind 127.0.0.1
port ${port}
dir ${JSON.stringify(dir)}
appendonly yes
save ""
maxmemory-policy noeviction
`;
}

/** Redis answers with an error while it loads; its configuration tells whether it is ours that answers on the port. */
async function answersFrom(dir: string, port: number): Promise<boolean> {
  const answer = await dialogue(port, "PING\r\nCONFIG GET dir\r\n", (text) => text.split("\r\n").length >= 7);
  return answer?.startsWith("+PONG\r\n") === true && answer.includes(`${dir}\r\n`);
}
