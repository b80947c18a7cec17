export type ServerKind = "nats" | "redis";

export interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/** The oldest server that the project is tested with. */
const OLDEST: Readonly<Record<ServerKind, Version>> = {
  nats: { major: 2, minor: 10, patch: 27 },
  redis: { major: 6, minor: 2, patch: 0 },
};

/** The first version in what a server prints for `--version`: "nats-server: v2.15.1", "Redis server v=7.0.15 sha=...". */
export function parseVersion(text: string): Version | null {
  const found = /\bv=?(\d+)\.(\d+)\.(\d+)/.exec(text);
  return found === null ? null : { major: Number(found[1]), minor: Number(found[2]), patch: Number(found[3]) };
}

export function formatVersion({ major, minor, patch }: Version): string {
  return `${major}.${minor}.${patch}`;
}

export function atLeast(kind: ServerKind, version: Version): boolean {
  return compareVersions(version, OLDEST[kind]) >= 0;
}

/** Whether a server is of the oldest release line that is supported (nats-server 2.10.x, redis-server 6.2.x). */
export function isOldestLine(kind: ServerKind, version: Version): boolean {
  return version.major === OLDEST[kind].major && version.minor === OLDEST[kind].minor;
}

export function oldestSupported(kind: ServerKind): string {
  return formatVersion(OLDEST[kind]);
}

function compareVersions(a: Version, b: Version): number {
  return a.major - b.major || a.minor - b.minor || a.patch - b.patch;
}
