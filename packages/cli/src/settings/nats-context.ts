import { readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { errorMessage } from "@cim-replay/core";
import { z } from "zod";
import type { Settings } from "./definitions.ts";
import type { Mistake } from "./mistakes.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const text = z.string().default("");

/** A context as the `nats` tool keeps it (NATS ADR-21); what else it holds is none of ours. */
const contextSchema = z.object({
  url: text,
  user: text,
  password: text,
  token: text,
  creds: text,
  nkey: text,
  user_jwt: text,
  cert: text,
  key: text,
  ca: text,
  tls_first: z.boolean().default(false),
  jetstream_domain: text,
  jetstream_api_prefix: text,
  inbox_prefix: text,
});

const CREDENTIALS = [
  "natsUser",
  "natsPassword",
  "natsPasswordFile",
  "natsToken",
  "natsTokenFile",
  "natsCreds",
  "natsNkey",
  "natsUserJwt",
] as const satisfies (keyof Settings)[];

export interface ContextLayer {
  readonly values: Partial<Settings>;
  readonly mistakes: readonly Mistake[];
}

/**
 * What a context adds below `given`, the settings that somebody gave. The one that the `nats` tool has selected counts
 * only where nobody named a server: its credentials are not for any other. Where credentials are given, the context's
 * are left out as a whole: a password goes to its own user only.
 */
export function contextLayer(given: Partial<Settings>, env: Environment): ContextLayer {
  const folder = configFolder(env);
  const name = given.context !== undefined ? given.context : given.natsUrl === undefined ? selected(folder) : null;
  if (name === null) return { values: {}, mistakes: [] };
  const where = `NATS context ${name}`;
  if (folder === null || !/^[^/\\]+$/.test(name) || name.startsWith(".")) {
    return { values: {}, mistakes: [{ where, message: "there can be no such context" }] };
  }
  try {
    const context = contextSchema.parse(JSON.parse(readFileSync(join(folder, "context", `${name}.json`), "utf8")));
    return { values: withoutRivals(valuesOf(context, env), given), mistakes: [] };
  } catch (error) {
    return { values: {}, mistakes: [{ where, message: `cannot be read (${whyNot(error)})` }] };
  }
}

/** Never with a piece of the text, which may hold a password. */
function whyNot(error: unknown): string {
  if (error instanceof SyntaxError) return "it is no JSON";
  if (error instanceof z.ZodError)
    return error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ");
  return errorMessage(error);
}

function configFolder({ XDG_CONFIG_HOME, HOME }: Environment): string | null {
  if (XDG_CONFIG_HOME && isAbsolute(XDG_CONFIG_HOME)) return join(XDG_CONFIG_HOME, "nats");
  return HOME ? join(HOME, ".config", "nats") : null;
}

function selected(folder: string | null): string | null {
  if (folder === null) return null;
  try {
    return readFileSync(join(folder, "context.txt"), "utf8").trim() || null;
  } catch {
    return null;
  }
}

function valuesOf(context: z.infer<typeof contextSchema>, { HOME = "" }: Environment): Partial<Settings> {
  const path = (written: string) => written.replace(/^~(?=\/)/, HOME);
  const texts = {
    natsUrl: context.url,
    natsUser: context.user,
    natsPassword: context.password,
    natsToken: context.token,
    natsCreds: path(context.creds),
    natsNkey: path(context.nkey),
    natsUserJwt: context.user_jwt,
    natsCert: path(context.cert),
    natsKey: path(context.key),
    natsCa: path(context.ca),
    natsJetstreamDomain: context.jetstream_domain,
    natsJetstreamApiPrefix: context.jetstream_api_prefix,
    natsInboxPrefix: context.inbox_prefix,
  };
  const there = Object.fromEntries(Object.entries(texts).filter(([, value]) => value !== ""));
  return context.tls_first ? { ...there, natsTlsFirst: true } : there;
}

function withoutRivals(values: Partial<Settings>, given: Partial<Settings>): Partial<Settings> {
  const isGiven = CREDENTIALS.some((key) => given[key]) || (given.natsUrl ?? "").includes("@");
  if (!isGiven) return values;
  const rivals: readonly string[] = CREDENTIALS;
  return Object.fromEntries(Object.entries(values).filter(([key]) => !rivals.includes(key)));
}
