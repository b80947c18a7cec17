import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { dialogue } from "./dialogue.ts";
import { locateRedis } from "./locate.ts";
import { type ServerHandle, startManaged } from "./managed-server.ts";

export interface SentinelOptions {
  /** What the master is called. */
  readonly name: string;
  readonly masterPort: number;
  /** Of the master and its replica. */
  readonly password?: string;
  /** That the sentinel itself asks for. */
  readonly ownPassword?: string;
}

/**
 * Starts a sentinel that decides by itself (others would only have to agree), a second after it misses the master. Resolves
 * when it knows the master and one replica.
 */
export async function startSentinel({
  name,
  masterPort,
  password,
  ownPassword,
}: SentinelOptions): Promise<ServerHandle> {
  const { path, env } = await locateRedis();
  const watched = [
    `sentinel monitor ${name} 127.0.0.1 ${masterPort} 1`,
    ...(password === undefined ? [] : [`sentinel auth-pass ${name} ${password}`]),
    `sentinel down-after-milliseconds ${name} 1000`,
    ...(ownPassword === undefined ? [] : [`requirepass ${ownPassword}`]),
    `sentinel failover-timeout ${name} 5000`,
  ];
  const login = ownPassword === undefined ? "" : `AUTH ${ownPassword}\r\n`;
  return startManaged(
    {
      scheme: "redis",
      path,
      env,
      async prepare(dir, port) {
        const file = join(dir, "sentinel.conf");
        const lines = ["bind 127.0.0.1", `port ${port}`, `dir ${JSON.stringify(dir)}`, ...watched];
        await writeFile(file, `${lines.join("\n")}\n`);
        return [file, "--sentinel"];
      },
      isReady: async (port) => {
        const answer = await dialogue(port, `${login}INFO sentinel\r\n`, (text) => text.includes(`name=${name},`));
        return answer?.includes("slaves=1") === true;
      },
    },
    {},
  );
}
