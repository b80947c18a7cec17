export interface RunbookBlock {
  readonly title: string;
  /** Commands that must be true before, which are not the runbook's. */
  readonly before?: string;
  /** As written; what stands in angle brackets, dates and paths are put in place by the sandbox. */
  readonly script: string;
  /** 0 where not said. */
  readonly exits?: number;
  readonly isWhileARunIsAtWork?: true;
}

const EVENT_REPLAY = "nix run .#event-replay --";

/** The commands of the operators' usual runbook, flag by flag. */
export const usualRunbook: readonly RunbookBlock[] = [
  {
    title: "single aggregate",
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
  { title: "clearing a domain by nats", script: `nats kv purge CIM_PROJECTIONS --filter "<DOMAIN>.*"`, exits: 1 },
  {
    title: "domain",
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
    isWhileARunIsAtWork: true,
    script: `curl -s http://localhost:9091/metrics | grep cim_replay_events_per_second
curl -s http://localhost:9091/metrics | grep cim_replay_lag_seconds
curl -s http://localhost:9091/metrics | grep cim_replay_errors_total
curl -s http://localhost:9091/metrics | grep cim_replay_memory_bytes`,
  },
  {
    title: "progress",
    isWhileARunIsAtWork: true,
    script: "nix run .#replay-progress -- --format json | jq '.'",
  },
  {
    title: "hanging, while it does",
    isWhileARunIsAtWork: true,
    script: `nix run .#debug-replay -- --show-locks
kill -USR1 $(pgrep event-replay)`,
  },
  { title: "slow", isWhileARunIsAtWork: true, script: "nix run .#profile-replay -- --duration 60" },
  { title: "hanging, afterwards", script: `${EVENT_REPLAY} --resume` },
  {
    title: "parallel",
    script: `CORES=$(nproc)
PARALLEL=$((CORES * 2))
nix run .#event-replay -- \\
  --parallel $PARALLEL \\
  --batch-size 5000 \\
  --prefetch 10000`,
  },
  {
    title: "memory",
    script: `export REPLAY_MAX_MEMORY="8G"
export REPLAY_BUFFER_SIZE="100000"
nix run .#event-replay -- \\
  --memory-limit $REPLAY_MAX_MEMORY \\
  --buffer-size $REPLAY_BUFFER_SIZE \\
  --gc-interval 50000`,
  },
  {
    title: "checkpoints",
    script: `nix run .#event-replay -- \\
  --checkpoint-dir /var/lib/cim/checkpoints \\
  --checkpoint-interval 100000 \\
  --resume-on-failure`,
  },
  {
    title: "out of memory",
    script: `${EVENT_REPLAY} --batch-size 1000\n${EVENT_REPLAY} --gc-interval 10000\n${EVENT_REPLAY} --buffer-mode disk`,
  },
  {
    title: "checksums",
    script: `nix run .#generate-checksums -- \\
  --domain <DOMAIN> \\
  --output original-checksums.json
nix run .#verify-checksums -- \\
  --domain <DOMAIN> \\
  --expected original-checksums.json`,
  },
  {
    title: "counts",
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
    script: `nix run .#validate-domain -- \\
  --domain <DOMAIN> \\
  --rules /etc/cim/validation-rules.yaml \\
  --report validation-report.html`,
  },
  {
    title: "a failed replay",
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
    before: "backup-projections --domain all --output /backup/pre-replay-backup.tar.gz",
    script: `systemctl stop cim-replay
nix run .#restore-projections -- \\
  --backup /backup/pre-replay-backup.tar.gz
nix run .#verify-system-state
nix run .#start-all-services`,
  },
];
