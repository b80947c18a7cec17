import type { Finding } from "./finding.ts";

export interface Checked {
  readonly findings: readonly Finding[];
  readonly unreachable: boolean;
}

/** "Cannot do X: what is so. What to do." as what is so, and what to do. */
export function splitMessage(message: string): { found: string; advice: string } {
  const [, what = message] = /^Cannot .*?: (.*)$/s.exec(message) ?? [];
  const end = what.indexOf(". ");
  if (end === -1) return { found: what.replace(/\.$/, ""), advice: "Check the server's log." };
  return { found: what.slice(0, end), advice: what.slice(end + 2) };
}
