import { formatCount } from "@cim-replay/core";

const EVERY_MS = 5_000;

/** Says now and then how many entries are done. */
export function progressNotes(note: (line: string) => void, what: string): (entries: number) => void {
  let toldAt = performance.now();
  return (entries) => {
    if (performance.now() - toldAt < EVERY_MS) return;
    toldAt = performance.now();
    note(`${what}: ${formatCount(entries)}`);
  };
}
