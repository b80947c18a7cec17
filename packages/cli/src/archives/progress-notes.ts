import { formatCount } from "@cim-replay/core";

const EVERY_MS = 5_000;

/** Passes on a line every few seconds; it is made only then. */
export function notesNowAndThen(note: (line: string) => void): (line: () => string) => void {
  let toldAt = performance.now();
  return (line) => {
    if (performance.now() - toldAt < EVERY_MS) return;
    toldAt = performance.now();
    note(line());
  };
}

/** Says now and then how many entries are done. */
export function progressNotes(note: (line: string) => void, what: string): (entries: number) => void {
  const tell = notesNowAndThen(note);
  return (entries) => tell(() => `${what}: ${formatCount(entries)}`);
}
