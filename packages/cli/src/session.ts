import type { Log } from "@cim-replay/core";
import { connectNats, Ledger, type NatsClient, type NatsLogin, type NatsOptions } from "@cim-replay/nats";
import type { QueueOptions, RedisServer, UnitQueue } from "@cim-replay/queue";
import type { ReplayContext } from "@cim-replay/coordinator";
import type { Invocation } from "./command.ts";
import { openLog } from "./log.ts";
import type { Settings } from "./settings/definitions.ts";
import { noLedger } from "./no-run.ts";
import { isTracing } from "./tracing.ts";

/** Opens a log for as long as `work` runs. */
export async function withLog<Result>(
  settings: Settings,
  { tool, screen }: Invocation,
  work: (log: Log) => Promise<Result>,
): Promise<Result> {
  const opened = openLog(settings, tool, (line) => screen.note(line));
  try {
    return await work(opened.log);
  } finally {
    opened.close();
  }
}

export function natsOptions(settings: Settings, name: string): NatsOptions {
  const login: NatsLogin = {
    user: settings.natsUser,
    password: settings.natsPassword,
    passwordFile: settings.natsPasswordFile,
    token: settings.natsToken,
    tokenFile: settings.natsTokenFile,
    creds: settings.natsCreds,
    nkey: settings.natsNkey,
    userJwt: settings.natsUserJwt,
    cert: settings.natsCert,
    key: settings.natsKey,
    ca: settings.natsCa,
    tlsFirst: settings.natsTlsFirst,
    jetstreamDomain: settings.natsJetstreamDomain,
    jetstreamApiPrefix: settings.natsJetstreamApiPrefix,
    inboxPrefix: settings.natsInboxPrefix,
  };
  return { url: settings.natsUrl, name, login, replicas: settings.natsReplicas };
}

export async function withNats<Result>(
  settings: Settings,
  tool: string,
  work: (client: NatsClient) => Promise<Result>,
): Promise<Result> {
  const client = await connectNats(natsOptions(settings, tool));
  try {
    const result = await work(client);
    // What was sent without waiting for an answer may have been refused, and nobody would know.
    await client.settle();
    client.denials.throwIfAny(`do all of ${tool}`);
    return result;
  } finally {
    await client.close();
  }
}

/** For commands that look at runs or steer them; throws ReplayError where there is no ledger and so no run. */
export async function withLedger<Result>(
  settings: Settings,
  tool: string,
  work: (ledger: Ledger, client: NatsClient) => Promise<Result>,
): Promise<Result> {
  return withNats(settings, tool, async (client) => {
    const ledger = await Ledger.open(client);
    if (!ledger) throw noLedger(tool);
    return work(ledger, client);
  });
}

/** Everything that coordinating takes; makes the ledger where there is none. Where both servers are away, NATS is named. */
export async function withCoordination<Result>(
  settings: Settings,
  tool: string,
  log: Log,
  work: (ctx: ReplayContext) => Promise<Result>,
): Promise<Result> {
  const opening = openQueue(settings);
  const closing = () => opening.then((queue) => queue.close()).catch(() => undefined);
  opening.catch(() => undefined);
  let isOpen = false;
  try {
    return await withNats(settings, tool, async (client) => {
      const [queue, ledger] = await Promise.all([opening, Ledger.open(client, { create: true })]);
      isOpen = true;
      if (!ledger) throw noLedger(tool);
      return await work({ client, ledger, queue, log });
    });
  } finally {
    // Who has failed already does not wait for a Redis that may be away as well.
    if (isOpen) await closing();
    else void closing();
  }
}

/** The queue's libraries take as long to load as NATS to answer: both at once, and only for who has a queue. */
export async function openQueue(settings: Settings): Promise<UnitQueue> {
  const { UnitQueue: Queue } = await import("@cim-replay/queue");
  return Queue.open(queueOptions(settings));
}

export function redisServer(settings: Settings): RedisServer {
  const { redisUrl, redisCa, redisCert, redisKey, redisCluster } = settings;
  const { redisSentinel, redisSentinelPassword, redisSentinelPasswordFile } = settings;
  const sentinels = { redisSentinel, redisSentinelPassword, redisSentinelPasswordFile };
  return { redisUrl, redisCa, redisCert, redisKey, redisCluster, ...sentinels };
}

export function queueOptions(settings: Settings): QueueOptions {
  return {
    ...redisServer(settings),
    prefix: settings.queuePrefix,
    lockDurationMs: settings.lockDuration,
    stalledIntervalMs: settings.stalledInterval,
    traced: isTracing(),
  };
}
