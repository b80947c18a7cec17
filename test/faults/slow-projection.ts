import type { Projection } from "@cim-replay/core";

interface Tape {
  total: number;
  fingerprint: number;
  latest: string[];
}

/** How long each event's fold and each entry's encoding take: time in which a test can break something. */
const { FAULTS_EVENT_MICROS = "0", FAULTS_ENTRY_MICROS = "0" } = process.env;
const eventMicros = Number(FAULTS_EVENT_MICROS);
const entryMicros = Number(FAULTS_ENTRY_MICROS);
const SHORTEST_SLEEP_MICROS = 2_000;
const cell = new Int32Array(new SharedArrayBuffer(4));
let owedMicros = 0;

/** Blocks as a busy loop would, and leaves the cores to the other tests. */
function dawdle(micros: number): void {
  owedMicros += micros;
  if (owedMicros < SHORTEST_SLEEP_MICROS) return;
  Atomics.wait(cell, 0, 0, owedMicros / 1_000);
  owedMicros = 0;
}

/** Notices any event that is lost, doubled, or out of order. Its slowness has no part in its values. */
const slowProjection: Projection<Tape> = {
  name: "slow",
  initial: () => ({ total: 0, fingerprint: 7, latest: [] }),
  evolve(state, event) {
    dawdle(eventMicros);
    const text = `${event.type}${JSON.stringify(event.payload)}`;
    for (let i = 0; i < text.length; i++)
      state.fingerprint = (Math.imul(state.fingerprint, 31) + text.charCodeAt(i)) | 0;
    state.total += 1;
    state.latest.push(`${event.type} ${event.streamSequence}`);
    if (state.latest.length > 3) state.latest.shift();
    return state;
  },
  encode(state) {
    dawdle(entryMicros);
    return state;
  },
};

export default slowProjection;
