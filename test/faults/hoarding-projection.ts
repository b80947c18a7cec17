import type { Projection } from "@cim-replay/core";

interface Hoard {
  /** The payload of an event and whatever else it held, as they were given. */
  kept: { n?: number; touched?: number }[];
  last: string;
}

const MOST_KEPT = 4;

/**
 * Keeps the payloads that it is given and changes them later: what another projection of the same run must never see. Notices
 * any event that is lost, doubled, or out of order, as the slow one does.
 */
const hoardingProjection: Projection<Hoard> = {
  name: "hoarding",
  initial: () => ({ kept: [], last: "" }),
  evolve(state, event) {
    const payload = event.payload as Hoard["kept"][number];
    for (const kept of state.kept) kept.touched = (kept.touched ?? 0) + (payload.n ?? 0);
    state.kept.push(payload);
    if (state.kept.length > MOST_KEPT) state.kept.shift();
    state.last = `${event.type} ${event.streamSequence} after ${state.last.slice(0, 40)}`;
    return state;
  },
};

export default hoardingProjection;
