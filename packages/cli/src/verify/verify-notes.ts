import { formatCount } from "@cim-replay/core";
import type { VerifyProgress } from "@cim-replay/verifier";
import { notesNowAndThen } from "../archives/progress-notes.ts";

const STAGES = {
  entries: "entries read",
  stream: "sequences read",
  values: "values compared",
} as const satisfies Record<VerifyProgress["stage"], string>;

/** Says now and then how far a verification is. */
export function verifyNotes(note: (line: string) => void): (progress: VerifyProgress) => void {
  const tell = notesNowAndThen(note);
  return ({ stage, done, total }) =>
    tell(() => `${STAGES[stage]}: ${formatCount(done)}${total === null ? "" : ` of ${formatCount(total)}`}`);
}
