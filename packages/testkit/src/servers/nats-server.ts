import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ServerBinary } from "./binary.ts";
import { dialogue } from "./dialogue.ts";
import { locateNats } from "./locate.ts";
import { type PlaceOptions, type ServerHandle, startManaged } from "./managed-server.ts";
import type { ServerProgram } from "./program.ts";

export interface NatsSettings {
  /** Server name; default a unique one. */
  readonly name?: string;
  readonly maxMemoryBytes?: number;
  /** JetStream's domain; default none. */
  readonly domain?: string;
  readonly maxFileBytes?: number;
  /** Further lines of the server's configuration file, e.g. "max_payload: 64KB". */
  readonly config?: string;
}

export interface NatsOptions extends PlaceOptions, NatsSettings {
  /** Program to start; default what locateNats() finds. */
  readonly binary?: ServerBinary;
}

/** Starts a nats-server with JetStream on a loopback port; resolves when JetStream answers. */
export async function startNats(options: NatsOptions = {}): Promise<ServerHandle> {
  return startManaged(natsProgram(options.binary ?? (await locateNats()), options), options);
}

export function natsProgram(binary: ServerBinary, settings: NatsSettings): ServerProgram {
  const name = settings.name ?? `cim-replay-${randomUUID().slice(0, 8)}`;
  return {
    scheme: "nats",
    path: binary.path,
    env: binary.env,
    async prepare(dir, port) {
      const file = join(dir, "nats.conf");
      await writeFile(file, configText(name, dir, port, settings));
      return ["--config", file];
    },
    isReady: async (port) => answersAs(name, port),
  };
}

function configText(name: string, dir: string, port: number, settings: NatsSettings): string {
  const limits = [
    ...(settings.domain === undefined ? [] : [`domain: ${JSON.stringify(settings.domain)}`]),
    `store_dir: ${JSON.stringify(join(dir, "data"))}`,
    ...(settings.maxMemoryBytes === undefined ? [] : [`max_memory_store: ${settings.maxMemoryBytes}`]),
    ...(settings.maxFileBytes === undefined ? [] : [`max_file_store: ${settings.maxFileBytes}`]),
  ];
  return `server_name: ${JSON.stringify(name)}
listen: "127.0.0.1:${port}"
jetstream {
  ${limits.join("\n  ")}
}
${settings.config ?? ""}
`;
}

/** The server's greeting has its name and says that JetStream is on; it greets nobody before its streams are loaded. */
async function answersAs(name: string, port: number): Promise<boolean> {
  const greeting = await dialogue(port, "", (text) => text.includes("\r\n"));
  const json = /^INFO (\{.*\})/.exec(greeting ?? "")?.[1];
  if (json === undefined) return false;
  const info = JSON.parse(json) as { server_name?: unknown; jetstream?: unknown };
  return info.server_name === name && info.jetstream === true;
}
