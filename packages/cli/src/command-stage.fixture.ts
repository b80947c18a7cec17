import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "@cim-replay/core";
import { connectNats, type NatsClient } from "@cim-replay/nats";
import { QUEUE_DEFAULTS } from "@cim-replay/queue";
import { startNats, uniqueName } from "@cim-replay/testkit";
import { loadProjection, startWorker } from "@cim-replay/worker";
import { inject } from "vitest";

/** What commands that replay need around them: a NATS server of its own with an empty stream EVENTS, a worker, a folder. */
export interface CommandStage extends AsyncDisposable {
  readonly natsUrl: string;
  readonly client: NatsClient;
  /** Holds `cim-replay.yaml`, and is where commands are to be started. */
  readonly folder: string;
}

interface StageOptions {
  readonly name: string;
  /** Each is folded by the projection file. */
  readonly domains: readonly string[];
  /** Its name in the folder; the test writes it. */
  readonly projectionFile: string;
  readonly moreSettings?: readonly string[];
}

export async function openCommandStage(options: StageOptions): Promise<CommandStage> {
  const { name, domains, projectionFile, moreSettings = [] } = options;
  await using opened = new AsyncDisposableStack();
  const nats = opened.adopt(await startNats(), (server) => server.stop());
  const client = opened.adopt(await connectNats({ url: nats.url, name: "test" }), (each) => each.close());
  const folder = opened.adopt(mkdtempSync(join(tmpdir(), `cim-replay-${name}-`)), (path) =>
    rmSync(path, { recursive: true }),
  );
  const prefix = uniqueName(name);
  const worker = startWorker({
    ...{ client, workerId: prefix, concurrency: 1, log: silentLog, loadProjection },
    queue: { ...QUEUE_DEFAULTS, redisUrl: inject("redisUrl"), prefix },
  });
  opened.defer(() => worker.stop());
  await worker.ready();
  const settings = ["metrics-port: off", `queue-prefix: ${prefix}`, "local-workers: 0", "parallel: 2", ...moreSettings];
  const described = domains.map((domain) => `  ${domain}: {projection: ./${projectionFile}}`);
  writeFileSync(join(folder, "cim-replay.yaml"), `${[...settings, "domains:", ...described].join("\n")}\n`);
  await client.jsm.streams.add({ name: "EVENTS", subjects: ["events.>"] });
  const toClose = opened.move();
  return { natsUrl: nats.url, client, folder, [Symbol.asyncDispose]: () => toClose.disposeAsync() };
}
