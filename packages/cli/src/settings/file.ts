import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { compileDomain, type DomainSettings, domainSettingsSchema, errorMessage } from "@cim-replay/core";
import { type Document, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import { type ServiceEntry, serviceKeys, servicesSchema } from "../services/schema.ts";
import { splitProjection } from "./bucket-names.ts";
import { keyOf, type SettingName, type Settings, settingNames, settings } from "./definitions.ts";
import type { Mistake } from "./mistakes.ts";
import { nearest } from "./nearest.ts";

export interface FileSettings {
  readonly values: Partial<Settings>;
  readonly domains: ReadonlyMap<string, DomainSettings>;
  /** Null where the file has no such section. */
  readonly services: readonly ServiceEntry[] | null;
  readonly mistakes: readonly Mistake[];
}

const fileSchema = z.strictObject({
  ...Object.fromEntries(settingNames.map((name) => [keyOf(settings[name].flag), settings[name].schema.optional()])),
  domains: z.record(z.string().min(1), domainSettingsSchema).optional(),
  services: servicesSchema.optional(),
});

const domainKeys = Object.keys(domainSettingsSchema.shape);
const topLevelKeys = [...settingNames.map((name) => keyOf(settings[name].flag)), "domains", "services"];

/** Reads a settings file. What is wrong in it is returned, each mistake with its line, and never thrown. */
export function readSettingsFile(path: string, shownAs: string): FileSettings {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const message = `cannot be read (${errorMessage(error)})`;
    return { values: {}, domains: new Map(), services: null, mistakes: [{ where: shownAs, message }] };
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  if (document.errors.length > 0) {
    const mistakes = document.errors.map((error) => ({
      where: `${shownAs}:${error.linePos?.[0].line ?? 1}`,
      // What stands behind a colon is a piece of the file, which may be of a password.
      message: (error.message.split("\n")[0] ?? "not YAML")
        .replace(/ at line \d+, column \d+:?$/, "")
        .replace(/: .*$/, ""),
    }));
    return { values: {}, domains: new Map(), services: null, mistakes };
  }
  const at = (keys: readonly PropertyKey[]) => `${shownAs}:${lineOf(document, lines, keys)}`;
  let content: unknown;
  try {
    content = document.toJS();
  } catch (error) {
    const mistakes = [{ where: shownAs, message: errorMessage(error).replace(/: .*$/s, "") }];
    return { values: {}, domains: new Map(), services: null, mistakes };
  }
  return checkContent(content ?? {}, at, dirname(path));
}

function checkContent(content: unknown, at: (keys: readonly PropertyKey[]) => string, folder: string): FileSettings {
  const parsed = fileSchema.safeParse(content);
  if (!parsed.success) {
    return {
      values: {},
      domains: new Map(),
      services: null,
      mistakes: parsed.error.issues.flatMap((issue) => mistakesOf(issue, at)),
    };
  }
  const mistakes: Mistake[] = [];
  const domains = new Map<string, DomainSettings>();
  for (const [domain, written] of Object.entries(parsed.data.domains ?? {})) {
    domains.set(domain, { ...written, ...resolvedProjection(written.projection, folder) });
    try {
      compileDomain(domain, written);
    } catch (error) {
      const path = ["domains", domain, "subject"];
      mistakes.push({ where: `${at(path)} ${path.join(".")}`, message: errorMessage(error).replace(/\.$/, "") });
    }
  }
  const byKey = new Map<string, unknown>(Object.entries(parsed.data));
  const given = settingNames.flatMap((name) => {
    const value = byKey.get(keyOf(settings[name].flag));
    return value === undefined ? [] : [[name, pathLike(name, value, folder)] as const];
  });
  // The file's schema holds each of them to its setting's.
  return {
    values: Object.fromEntries(given) as Partial<Settings>,
    domains,
    services: parsed.data.services ?? null,
    mistakes,
  };
}

const PATHS: ReadonlySet<SettingName> = new Set<SettingName>([
  "logFile",
  "checkpointDir",
  "backupDir",
  "natsPasswordFile",
  "natsTokenFile",
  "natsCreds",
  "natsNkey",
  "natsCert",
  "natsKey",
  "natsCa",
  "redisCa",
  "redisCert",
  "redisKey",
  "redisSentinelPasswordFile",
]);

/** Files that a settings file names lie beside it, wherever the command is started. */
function pathLike(name: SettingName, value: unknown, folder: string): unknown {
  if (name === "projection" && Array.isArray(value)) return value.map((each) => fromFolder(String(each), folder));
  if (typeof value !== "string") return value;
  return PATHS.has(name) ? resolve(folder, value) : value;
}

function resolvedProjection(
  projection: DomainSettings["projection"],
  folder: string,
): Pick<DomainSettings, "projection"> {
  if (projection === undefined) return {};
  if (typeof projection === "string") return { projection: fromFolder(projection, folder) };
  return { projection: projection.map((each) => fromFolder(each, folder)) };
}

/** With the bucket that it names, where it names one. */
function fromFolder(projection: string, folder: string): string {
  const { named } = splitProjection(projection);
  const isFile = /[/\\]|\.(ts|js|mjs)$/.test(named);
  return isFile ? resolve(folder, named) + projection.slice(named.length) : projection;
}

function mistakesOf(issue: z.core.$ZodIssue, at: (keys: readonly PropertyKey[]) => string): Mistake[] {
  const named = (path: readonly PropertyKey[]) => [at(path), path.map(String).join(".")].filter(Boolean).join(" ");
  if (issue.code === "unrecognized_keys") {
    const known = knownAt(issue.path);
    return issue.keys.map((key) => {
      const meant = nearest(key, known);
      const hint = meant ? `did you mean ${meant}?` : `known are ${known.join(", ")}`;
      return { where: named([...issue.path, key]), message: `no such setting (${hint})` };
    });
  }
  if (issue.code === "invalid_value") {
    return [{ where: named(issue.path), message: `not one of ${issue.values.map(String).join(", ")}` }];
  }
  return [{ where: named(issue.path), message: issue.message.replace(/^Invalid input: /, "") }];
}

function knownAt([section, , inner]: readonly PropertyKey[]): readonly string[] {
  if (section === undefined) return topLevelKeys;
  if (section === "domains") return domainKeys;
  return inner === undefined ? serviceKeys : ["stop", "start", "status"];
}

/** The line of a key, or of the innermost part of its path that is there. */
function lineOf(document: Document, lines: LineCounter, keys: readonly PropertyKey[]): number {
  let node: unknown = document.contents;
  let offset = isNode(node) ? node.range?.[0] : undefined;
  for (const key of keys) {
    if (isSeq(node)) {
      node = node.items[Number(key)];
      offset = isNode(node) ? (node.range?.[0] ?? offset) : offset;
      continue;
    }
    if (!isMap(node)) break;
    const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key));
    if (!pair) break;
    if (isScalar(pair.key)) offset = pair.key.range?.[0] ?? offset;
    node = pair.value;
  }
  return lines.linePos(offset ?? 0).line;
}
