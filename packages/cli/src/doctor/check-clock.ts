import { type Finding, ok, warning } from "./finding.ts";

const APART_MS = 2_000;

/** A clock that differs by less than it took to ask is not told from a right one. */
export function checkClock(about: string, aheadMs: number, roundTripMs: number): Finding {
  const apartMs = Math.max(0, Math.abs(aheadMs) - roundTripMs / 2);
  if (apartMs < APART_MS) return ok(about, `its clock and this machine's agree, ${roundTripMs} ms there and back`);
  const seconds = (Math.abs(aheadMs) / 1000).toFixed(1);
  const found = `its clock is ${seconds} s ${aheadMs > 0 ? "ahead of" : "behind"} this machine's`;
  return warning(about, found, "Times given to a command may then mean another moment: run NTP on both.");
}
