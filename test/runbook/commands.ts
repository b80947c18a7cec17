import { COMPLETED, HOLDS, METRICS, PROGRESS_FIELDS, STARTED, STOPPED, UNDO } from "./expected-output.ts";

export interface RunbookBlock {
  readonly title: string;
  /** Commands that must be true before, which are not the runbook's. */
  readonly before?: string;
  /** As written; what stands in angle brackets, dates and paths are put in place by the sandbox. */
  readonly script: string;
  /** What its reader relies on. */
  readonly prints: readonly RegExp[];
  /** 0 where not said. */
  readonly exits?: number;
  readonly isWhileARunIsAtWork?: true;
}

const EVENT_REPLAY = "nix run .#event-replay --";

/** The commands of the operators' usual runbook, flag by flag. */
export const usualRunbook: readonly RunbookBlock[] = [
  {
    title: "single aggregate",
    prints: [
      /^of +aggregate "\S+" of graph$/m,
      /^entries +1 from bucket/m,
      COMPLETED,
      /^entries +1 written/m,
      /^aggregate \S+ of graph in CIM_PROJECTIONS holds/m,
    ],
    script: `systemctl stop cim-graph
nix run .#backup-aggregate -- \\
  --aggregate-id <AGGREGATE_ID> \\
  --domain graph \\
  --output /backup/graph-aggregate-$(date +%Y%m%d-%H%M%S).tar.gz
nats kv del CIM_PROJECTIONS graph.<AGGREGATE_ID>
nix run .#event-replay -- \\
  --domain graph \\
  --aggregate-id <AGGREGATE_ID> \\
  --from-beginning \\
  --target projection
nix run .#verify-aggregate -- \\
  --aggregate-id <AGGREGATE_ID> \\
  --domain graph
systemctl start cim-graph`,
  },
  // The nats tool has no such flag, and so no tool of ours can make it work: clear-projections does what is meant.
  {
    title: "clearing a domain by nats",
    prints: [/unknown command or flag/],
    script: `nats kv purge CIM_PROJECTIONS --filter "<DOMAIN>.*"`,
    exits: 1,
  },
  {
    title: "domain",
    prints: [COMPLETED, UNDO, /^run \S+ of graph into CIM_PROJECTIONS: completed$/m, /^u0 .*\bdone\b/m, HOLDS],
    script: `kubectl scale deployment cim-<DOMAIN> --replicas=0
SNAPSHOT_TIME=$(date -u +%Y-%m-%dT%H:%M:%SZ)
echo "Snapshot time: $SNAPSHOT_TIME"
nix run .#domain-replay -- \\
  --domain <DOMAIN> \\
  --parallel 4 \\
  --batch-size 1000 \\
  --checkpoint-interval 10000
watch -n 5 'nix run .#replay-status -- --domain <DOMAIN>'
nix run .#verify-domain -- --domain <DOMAIN>
kubectl scale deployment cim-<DOMAIN> --replicas=3`,
  },
  {
    title: "point in time",
    prints: [
      STOPPED,
      /^checkpoint +pre-recovery-/m,
      /^graph +\S+ +completed .* holds +yes$/m,
      /^All 2 domains are the state at 2025-03-05T14:30:00Z/m,
      /restore-checkpoint --name before-point-in-time-replay-\S+ --target CIM_PROJECTIONS --yes/,
      HOLDS,
      STARTED,
    ],
    script: `TARGET_TIME="2024-01-15T14:30:00Z"
nix run .#stop-all-services
nix run .#create-checkpoint -- \\
  --name "pre-recovery-$(date +%Y%m%d-%H%M%S)"
nix run .#point-in-time-replay -- \\
  --target-time "$TARGET_TIME" \\
  --domains all \\
  --verify-checksums
nix run .#validate-system-state -- \\
  --expected-time "$TARGET_TIME"
nix run .#start-all-services`,
  },
  {
    title: "selective",
    prints: [
      /^events +[1-9]\d*$/m,
      /^NodeAdded +[1-9]/m,
      /^EdgeAdded +[1-9]/m,
      /Nothing was written to any server\./,
      COMPLETED,
      /^entries +[1-9]\d* written, 0 unchanged, in bucket test-projection$/m,
    ],
    script: `cat > replay-filter.json <<EOF
{
  "event_types": ["NodeAdded", "EdgeCreated"],
  "domains": ["graph", "workflow"],
  "time_range": {
    "start": "2024-01-15T00:00:00Z",
    "end": "2024-01-15T23:59:59Z"
  }
}
EOF
nix run .#selective-replay -- \\
  --filter replay-filter.json \\
  --target test-projection \\
  --dry-run
less replay-dry-run.log
nix run .#selective-replay -- \\
  --filter replay-filter.json \\
  --target test-projection \\
  --execute`,
  },
  {
    title: "metrics",
    prints: METRICS,
    isWhileARunIsAtWork: true,
    script: `curl -s http://localhost:9091/metrics | grep cim_replay_events_per_second
curl -s http://localhost:9091/metrics | grep cim_replay_lag_seconds
curl -s http://localhost:9091/metrics | grep cim_replay_errors_total
curl -s http://localhost:9091/metrics | grep cim_replay_memory_bytes`,
  },
  {
    title: "progress",
    prints: PROGRESS_FIELDS,
    isWhileARunIsAtWork: true,
    script: "nix run .#replay-progress -- --format json | jq '.'",
  },
  {
    title: "hanging, while it does",
    prints: [/^Nothing is wrong\.$/m, /read to +heartbeat +progress +worker$/m, /^u0 .*\brunning\b/m],
    isWhileARunIsAtWork: true,
    script: `nix run .#debug-replay -- --show-locks
kill -USR1 $(pgrep event-replay)`,
  },
  {
    title: "slow",
    prints: [/is limited by: fold$/m, /^Page: \S+profile\.html$/m],
    isWhileARunIsAtWork: true,
    script: "nix run .#profile-replay -- --duration 60",
  },
  { title: "hanging, afterwards", prints: [/^Resuming run/m, COMPLETED], script: `${EVENT_REPLAY} --resume` },
  {
    title: "parallel",
    prints: [COMPLETED, UNDO],
    script: `CORES=$(nproc)
PARALLEL=$((CORES * 2))
nix run .#event-replay -- \\
  --parallel $PARALLEL \\
  --batch-size 5000 \\
  --prefetch 10000`,
  },
  {
    title: "memory",
    prints: [COMPLETED],
    script: `export REPLAY_MAX_MEMORY="8G"
export REPLAY_BUFFER_SIZE="100000"
nix run .#event-replay -- \\
  --memory-limit $REPLAY_MAX_MEMORY \\
  --buffer-size $REPLAY_BUFFER_SIZE \\
  --gc-interval 50000`,
  },
  {
    title: "checkpoints",
    prints: [COMPLETED],
    script: `nix run .#event-replay -- \\
  --checkpoint-dir /var/lib/cim/checkpoints \\
  --checkpoint-interval 100000 \\
  --resume-on-failure`,
  },
  {
    title: "out of memory",
    prints: [COMPLETED],
    script: `${EVENT_REPLAY} --batch-size 1000\n${EVENT_REPLAY} --gc-interval 10000\n${EVENT_REPLAY} --buffer-mode disk`,
  },
  {
    title: "checksums",
    prints: [/^checksums +20 of graph/m, /^verdict +the same$/m],
    script: `nix run .#generate-checksums -- \\
  --domain <DOMAIN> \\
  --output original-checksums.json
nix run .#verify-checksums -- \\
  --domain <DOMAIN> \\
  --expected original-checksums.json`,
  },
  {
    title: "counts",
    prints: [/^mismatch: Stream=1600, Projection=800$/m],
    script: `STREAM_COUNT=$(nats stream info EVENTS -j | jq .state.messages)
PROJECTION_COUNT=$(nix run .#count-projected-events -- --domain <DOMAIN>)
if [ "$STREAM_COUNT" -eq "$PROJECTION_COUNT" ]; then
  echo "match"
else
  echo "mismatch: Stream=$STREAM_COUNT, Projection=$PROJECTION_COUNT"
fi`,
  },
  {
    title: "business rules",
    prints: [/the rules hold\. All \d+ rules hold\.$/m, /^The report is in validation-report\.html\.$/m],
    script: `nix run .#validate-domain -- \\
  --domain <DOMAIN> \\
  --rules /etc/cim/validation-rules.yaml \\
  --report validation-report.html`,
  },
  {
    title: "a failed replay",
    prints: [
      /of workflow into CIM_PROJECTIONS: failed$/m,
      /^1 × decode: the payload is no JSON/m,
      /^Resuming run/m,
      COMPLETED,
      /^quarantined +1$/m,
    ],
    before: `nats pub events.workflow.torn.WorkflowStarted 'no JSON'
domain-replay --domain workflow  # exits 1`,
    script: `tail -n 100 /var/log/cim/replay.log
nix run .#replay-status -- --show-errors
nix run .#event-replay -- \\
  --resume \\
  --skip-errors 10`,
  },
  {
    title: "rollback",
    prints: [
      /^written +20$/m,
      /^unchanged +20$/m,
      /^verified +40 entries, read back$/m,
      HOLDS,
      /^workflow in \S+ holds at level full$/m,
    ],
    before: `backup-projections --domain all --output /backup/pre-replay-backup.tar.gz
clear-projections --domain graph --yes`,
    script: `systemctl stop cim-replay
nix run .#restore-projections -- \\
  --backup /backup/pre-replay-backup.tar.gz
nix run .#verify-system-state
nix run .#start-all-services`,
  },
];
