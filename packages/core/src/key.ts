import { ReplayError } from "./errors.ts";

/** Above this a server's control line (4,096 bytes by default) has no room left for bucket, inbox and sizes. */
export const MAX_KEY_LENGTH = 3_000;

const PLAIN_TOKEN = /^[-/_a-zA-Z0-9]+$/;
const ESCAPED_TOKEN = /^[-/_=a-zA-Z0-9]+$/;
const TO_ESCAPE = /[^-/_a-zA-Z0-9]/gu;

/**
 * The key `{domain}.{aggregate_id}` of an aggregate's entry. What a KV key token may not hold, and `.` and `=`, are
 * written `=XX` (each UTF-8 byte in uppercase hex): no two ids share a key, and `parseEntryKey` gives the id back.
 * Throws ReplayError where the domain or id is empty, is no Unicode text, or gives a key longer than `MAX_KEY_LENGTH`.
 */
export function entryKey(domain: string, aggregateId: string): string {
  const key = `${escapeToken(domain, "domain")}.${escapeToken(aggregateId, "aggregate id")}`;
  if (key.length > MAX_KEY_LENGTH) {
    throw new ReplayError(
      `Cannot name the entry of "${aggregateId.slice(0, 40)}…" in ${domain.slice(0, 40)}: its key has ${key.length} ` +
        `characters, the most is ${MAX_KEY_LENGTH}. Give the aggregate a shorter id.`,
    );
  }
  return key;
}

/** Domain and id of an entry's key; null for a key that `entryKey` gives for no id. */
export function parseEntryKey(key: string): { domain: string; aggregateId: string } | null {
  const dot = key.indexOf(".");
  if (dot === -1 || key.length > MAX_KEY_LENGTH) return null;
  const domain = unescapeToken(key.slice(0, dot));
  const aggregateId = unescapeToken(key.slice(dot + 1));
  return domain === null || aggregateId === null ? null : { domain, aggregateId };
}

function escapeToken(text: string, what: string): string {
  if (PLAIN_TOKEN.test(text)) return text;
  if (text === "") throw new ReplayError(`Cannot name an entry: the ${what} is empty. Give every event one.`);
  // A lone surrogate has no UTF-8 form: written as U+FFFD, two ids would share one key.
  if (!text.isWellFormed()) {
    throw new ReplayError(
      `Cannot name the entry of ${JSON.stringify(text.slice(0, 80))}: the ${what} is no Unicode text (half a surrogate ` +
        "pair). Mend the id where it is produced.",
    );
  }
  return text.replace(TO_ESCAPE, escapeCharacter);
}

function escapeCharacter(character: string): string {
  const code = character.charCodeAt(0);
  if (code > 0x7f) return encodeURIComponent(character).replaceAll("%", "=");
  return `=${code.toString(16).toUpperCase().padStart(2, "0")}`;
}

function unescapeToken(token: string): string | null {
  if (PLAIN_TOKEN.test(token)) return token;
  if (!ESCAPED_TOKEN.test(token)) return null;
  try {
    const text = decodeURIComponent(token.replaceAll("=", "%"));
    // Lower-case hex, and escapes of what needs none, decode as well, but are no key of ours.
    return text.replace(TO_ESCAPE, escapeCharacter) === token ? text : null;
  } catch {
    return null;
  }
}
