export { startServerPair, type ServerPair } from "./servers/pair.ts";
export {
  type NatsCluster,
  type PartableCluster,
  startNatsCluster,
  startPartableCluster,
} from "./servers/nats-cluster.ts";
export { type NatsOptions, startNats } from "./servers/nats-server.ts";
export { type RedisHandle, type RedisOptions, startRedis } from "./servers/redis-server.ts";
export { type SentinelOptions, startSentinel } from "./servers/redis-sentinel.ts";
export { type ServerHandle, startManaged } from "./servers/managed-server.ts";
export type { ServerProgram } from "./servers/program.ts";
export { locateNats, locateRedis, locateServers, type LocatedServer, type LocateOptions } from "./servers/locate.ts";
export type { ServerBinary } from "./servers/binary.ts";
export { cacheDir } from "./servers/cache.ts";
export { debianMirror } from "./servers/debian-mirror.ts";
export { unpackPackages } from "./servers/debian-packages.ts";
export {
  type BackgroundOptions,
  type DownResult,
  type ServerStatus,
  serversDown,
  serversStatus,
  serversUp,
  type UpOptions,
  type UpResult,
} from "./servers/background.ts";
export type { BackgroundServer } from "./servers/background-state.ts";
export { freePort } from "./servers/ports.ts";
export { uniqueName } from "./servers/unique-name.ts";
export { type GeneratedEvent, generateEvents } from "./generator/generate-events.ts";
export type { GeneratorOptions } from "./generator/generator-options.ts";
export { publishEvents, type PublishEventsOptions } from "./generator/publish-events.ts";
export { readAllMessages, readBucket } from "./naive-read.ts";
export { referenceFold, type ReferenceOptions } from "./reference-fold.ts";
export { planOf, runOf, settingsOf } from "./run-records.ts";
export { Wire } from "./servers/wire.ts";
