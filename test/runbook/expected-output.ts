/** A replay that has ended well. */
export const COMPLETED = /^run +\S+ completed$/m;
export const HOLDS = /^graph in \S+ holds at level full$/m;
export const STOPPED = /^importer .* stopped +ran +stopped$/m;
export const STARTED = /^importer .* running +.*started$/m;
export const UNDO = /^Undo it: restore-projections --backup \S+\.tar\.gz --target CIM_PROJECTIONS$/m;
/** What the given runbook's reader looks for; ours come behind them. */
export const PROGRESS_FIELDS = [
  /"domain": "graph"/,
  /"total_events": 800/,
  /"processed_events": \d+/,
  /"progress_percent": [\d.]+/,
  /"current_rate": \d+/,
  /"estimated_completion": (?:null|"[-\d]+T[:\d]+Z")/,
  /"errors": 0/,
];
export const METRICS = [
  /^cim_replay_events_per_second(?:\{.*\})? [\d.]+$/m,
  /^cim_replay_lag_seconds(?:\{.*\})? [\d.]+$/m,
  /^cim_replay_errors_total(?:\{.*\})? 0$/m,
  /^cim_replay_memory_bytes(?:\{.*\})? [1-9][\d.e+]*$/m,
];

/**
 * What the reader of docs/runbook.md relies on: under each heading, block by block, what must be printed. 800 events of `graph`
 * in 20 aggregates are on the stream, the first half of all by the given moment.
 */
export const runbookPrints: Readonly<Record<string, readonly (readonly RegExp[])[]>> = {
  "Before anything": [
    [
      /^\S+ +completed +graph +CIM_PROJECTIONS/m,
      /^importer .* running/m,
      /^stream +EVENTS \(created/m,
      /^range +sequences 1 to 1,600$/m,
      /^events +800 of 20 aggregates$/m,
      /^takes about +[\d.]+ m?s/m,
      /^Nothing was written\.$/m,
    ],
  ],
  "A domain, without stopping anything": [
    [COMPLETED, HOLDS, /^same +20$/m, /^changed +0$/m, /^added +0 /m, /^removed +0 /m],
  ],
  "A domain, in place": [
    [
      STOPPED,
      COMPLETED,
      /^Undo it: restore-projections --backup \S+\.tar\.gz --target CIM_PROJECTIONS$/m,
      HOLDS,
      STARTED,
    ],
    [
      /^entries +20 from bucket/m,
      /^Deleted 20 of 20 entries of graph/m,
      COMPLETED,
      /^entries +20 written, 0 unchanged/m,
    ],
  ],
  "One aggregate": [
    [
      COMPLETED,
      /^entries +1 written/m,
      UNDO,
      /^aggregate \S+ of graph in CIM_PROJECTIONS holds/m,
      /^events +[1-9]/m,
      /"node_count": ?\d+/,
    ],
  ],
  "A moment in the past": [
    [
      STOPPED,
      /^checkpoint +before-recovery /m,
      /^graph +\S+ +completed +[1-9]\d* +[1-9]\d* +\d+ +holds +yes$/m,
      /^workflow +\S+ +completed +[1-9]\d* +[1-9]\d* +\d+ +holds +yes$/m,
      /^All 2 domains are the state at 2025-03-05T12:00:00Z/m,
      /^Go back to what it held before: restore-checkpoint --name \S+ --target CIM_PROJECTIONS --yes$/m,
      HOLDS,
      /^state at +2025-03-05T12:00:00\.000Z, by the events' own times$/m,
      STARTED,
    ],
    [STOPPED, /^verified +40 entries, read back$/m, HOLDS, /^Deleted checkpoint before-recovery/m, STARTED],
  ],
  "Some events only": [[/NodeAdded/, /replay-dry-run\.log/, COMPLETED, /bucket selection/]],
  "Watching a run": [[/^run \S+ of graph into slowly-rebuilt: running/m, ...PROGRESS_FIELDS, ...METRICS]],
  Hanging: [[/^Nothing is wrong\.$/m, /read to/], [COMPLETED]],
  "Out of memory": [[COMPLETED]],
  Slow: [[/profile\.html/], [/^takes about /m, COMPLETED]],
  "Is it right?": [
    [HOLDS, /^800$/m, /rules? hold|all hold|holds/i, /^entries? +20|^expected +20 entries/m, /^verdict +the same$/m],
  ],
  "A run has failed": [
    [
      /"msg":"unit finished"/,
      /No events in the quarantine\./,
      /No events are kept\./,
      /^\S+ +\S+ +domain-replay +ended +graph +CIM_PROJECTIONS +\S+ +counts: holds +completed$/m,
    ],
  ],
  "Rolling back": [
    [STOPPED, /^would write +20$/m, /^written +20$/m, /^verified +20 entries, read back$/m, HOLDS, STARTED],
  ],
  Services: [[/would be stopped/, STOPPED, /^importer .* stopped +ran$/m, STARTED]],
};
