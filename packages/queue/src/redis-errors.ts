import { connectionCause, ReplayError, UnreachableError } from "@cim-replay/core";
import { redactRedisUrl } from "./redis-url.ts";

/** The login is known, and may not do what the queue takes. No reason to try again. */
export class QueueDeniedError extends ReplayError {
  override readonly name = "QueueDeniedError";
}

/** As a command's own refusal, and as that of a command inside a script. */
const denied = /^NOPERM|ACL failure|can't run this command|has no permissions/i;

const connectionLost = /connection is closed|stream isn't writeable|max retries per request|command timed out/i;

/** Why Redis did not answer, in words; undefined where Redis did answer, with an error. */
function lostConnection(error: unknown): string | undefined {
  const lost = error instanceof Error && connectionLost.test(error.message) ? "connection lost" : undefined;
  return connectionCause(error) ?? lost;
}

export function unreachable(redisUrl: string, why: string): UnreachableError {
  return new UnreachableError(
    `Cannot reach Redis at ${redactRedisUrl(redisUrl)}: ${why}. Start one with \`cim-replay servers up\`, or set REDIS_URL.`,
  );
}

/**
 * An error of ioredis or BullMQ as one of ours. No `cause`: ioredis hangs the command and its arguments on a reply's
 * error, and those of AUTH are the password.
 */
export function redisError(redisUrl: string, error: unknown): ReplayError {
  if (error instanceof ReplayError) return error;
  const why = lostConnection(error);
  if (why) return unreachable(redisUrl, why);
  const message = error instanceof Error ? error.message : String(error);
  if (denied.test(message)) return deniedError(redisUrl, message);
  if (/^(WRONGPASS|NOAUTH|ERR AUTH|ERR invalid password)/.test(message)) {
    return unreachable(redisUrl, "it refuses the credentials");
  }
  return new ReplayError(`Cannot use Redis at ${redactRedisUrl(redisUrl)}: ${message}. See Redis' log.`);
}

function deniedError(redisUrl: string, message: string): QueueDeniedError {
  const command = /the '([^']+)' command/.exec(message)?.[1];
  const what = command
    ? `run ${command.replace("|", " ").toUpperCase()}`
    : `do what the queue takes (${message.split(" script: ")[0]})`;
  return new QueueDeniedError(
    `Cannot use Redis at ${redactRedisUrl(redisUrl)}: this login has no permission to ${what}. Allow it by an ACL (docs/security.md has one), or use another login.`,
  );
}
