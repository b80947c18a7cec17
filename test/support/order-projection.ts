import { defineProjection } from "@cim-replay/core";

interface Order {
  seen: string[];
  total: number;
  fingerprint: number;
}

/** Notices any event that is lost, doubled, or out of order: the value depends on all of them in their order. */
export const orderProjection = defineProjection<Order>({
  name: "order",
  initial: () => ({ seen: [], total: 0, fingerprint: 7 }),
  evolve(state, event) {
    const text = JSON.stringify(event.payload);
    if (text.includes('"boom"')) {
      // Half a change, then a failure: what must not be left behind.
      state.total += 1_000_000;
      throw new Error("boom");
    }
    for (let i = 0; i < text.length; i++)
      state.fingerprint = (Math.imul(state.fingerprint, 31) + text.charCodeAt(i)) | 0;
    state.total += 1;
    state.seen.push(event.type);
    if (state.seen.length > 3) state.seen.shift();
    return state;
  },
});
