import { readFileSync } from "node:fs";

const FOLDER = new URL("../../../../deploy/nats/permissions/", import.meta.url);

export const listUrl = (file: string): URL => new URL(file, FOLDER);

export const ROLES = [
  "worker",
  "coordinator",
  "verifier",
  "backup",
  "restore",
  "restore-events",
  "checkpoints",
  "quarantine",
  "profile",
  "dashboard",
] as const;
export type Role = (typeof ROLES)[number];

/** What a login may do: one line of a list. */
export interface Grant {
  readonly kind: "publish" | "subscribe";
  readonly subject: string;
}

export const listText = (role: Role): string => readFileSync(listUrl(`${role}.conf`), "utf8");

/** The lines of a role's list. Throws where a line is none of the shape that the files keep to. */
export function grantsOf(role: Role): readonly Grant[] {
  const grants: Grant[] = [];
  let kind: Grant["kind"] | null = null;
  for (const line of listText(role)
    .split("\n")
    .map((each) => each.trim())) {
    const begins = /^(publish|subscribe): \{$/.exec(line)?.[1];
    if (begins === "publish" || begins === "subscribe") kind = begins;
    const subject = /^"([^"]+)"$/.exec(line)?.[1];
    if (subject !== undefined && kind !== null) grants.push({ kind, subject });
    else if (begins === undefined && !/^(#.*|allow: \[|\]|\}|)$/.test(line)) throw new Error(`${role}: ${line}`);
  }
  return grants;
}

/** Whether a subject is one of those that a pattern stands for. */
export function matches(pattern: string, subject: string): boolean {
  const tokens = subject.split(".");
  const wanted = pattern.split(".");
  const isOpen = wanted.at(-1) === ">";
  if (isOpen ? tokens.length < wanted.length : tokens.length !== wanted.length) return false;
  return wanted.every((token, at) => token === ">" || token === "*" || token === tokens[at]);
}

/** As a server's configuration takes it. */
export function permissionsText(grants: readonly Grant[]): string {
  const of = (kind: Grant["kind"]) => {
    const subjects = grants.filter((grant) => grant.kind === kind).map(({ subject }) => subject);
    // An empty list would allow everything.
    return subjects.length > 0 ? `{ allow: ${JSON.stringify(subjects)} }` : '{ deny: [">"] }';
  };
  return `{ publish: ${of("publish")}, subscribe: ${of("subscribe")} }`;
}
