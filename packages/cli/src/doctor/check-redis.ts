import { formatSize, ReplayError, UnreachableError } from "@cim-replay/core";
import { OLDEST_REDIS, type RedisFacts, type RedisServer, redactRedisUrl, redisFacts } from "@cim-replay/queue";
import { checkClock } from "./check-clock.ts";
import { type Finding, ok, problem, warning } from "./finding.ts";
import { type Checked, splitMessage } from "./unreachable.ts";

const NEARLY_FULL = 0.8;

/** The server of the queue: whether it can be reached, written to, and will not drop what is queued. */
export async function checkRedis(options: RedisServer & { readonly prefix: string }): Promise<Checked> {
  const about = `Redis at ${redactRedisUrl(options.redisUrl)}`;
  try {
    const facts = await redisFacts(options);
    return { findings: [...findingsOf(about, facts)], unreachable: false };
  } catch (error) {
    if (!(error instanceof ReplayError)) throw error;
    const { found, advice } = splitMessage(error.message);
    return { findings: [problem(about, found, advice)], unreachable: error instanceof UnreachableError };
  }
}

function findingsOf(about: string, facts: RedisFacts): Finding[] {
  const { version } = facts;
  return [
    facts.isTooOld
      ? problem(about, `version ${version}`, `Upgrade it to ${OLDEST_REDIS} or newer.`)
      : ok(about, `version ${version}`),
    ...access(about, facts),
    ...memory(about, facts),
    facts.hasAppendOnlyFile
      ? ok(about, "an append-only file keeps the queue over a restart")
      : warning(
          about,
          "no append-only file",
          "After a restart runs queue their units again, from the ledger: set appendonly yes to spare that.",
        ),
    checkClock(about, facts.clockAheadMs, facts.roundTripMs),
  ];
}

function access(about: string, { writeRefusal, role, isCluster }: RedisFacts): Finding[] {
  const findings: Finding[] = [];
  if (role !== "master") findings.push(problem(about, `it is a ${role}`, "Set REDIS_URL to its master."));
  if (isCluster) {
    const advice = "The queue's keys must lie in one slot: put the prefix in braces, --queue-prefix '{cim-replay}'.";
    findings.push(warning(about, "it is a node of a cluster", advice));
  }
  if (writeRefusal === null) return [...findings, ok(about, "scripts may write there")];
  const advice = "Give its user +@all on the queue's keys, and EVAL.";
  return [...findings, problem(about, `scripts may not write there (${writeRefusal})`, advice)];
}

function memory(about: string, { evictionPolicy, maxMemoryBytes, usedMemoryBytes }: RedisFacts): Finding[] {
  const findings: Finding[] = [];
  if (evictionPolicy !== null && evictionPolicy !== "noeviction") {
    const found = `maxmemory-policy ${evictionPolicy}: it may drop queued units when its memory is full`;
    findings.push(problem(about, found, "Set maxmemory-policy to noeviction."));
  }
  if (maxMemoryBytes > 0 && usedMemoryBytes >= maxMemoryBytes * NEARLY_FULL) {
    const found = `${formatSize(usedMemoryBytes)} of the ${formatSize(maxMemoryBytes)} that it may use`;
    findings.push(warning(about, found, "Raise maxmemory, or clean up what else is in it."));
  }
  return findings;
}
