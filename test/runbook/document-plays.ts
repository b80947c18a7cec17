import { DAY_OF_EVENTS } from "./data.ts";

export interface DocumentPlay {
  /** From the project's folder. */
  readonly file: string;
  /** Commands that must be true before its first block. */
  readonly before?: string;
  /** Files that its commands name: the document's own block with this first line, by the file's name. */
  readonly files?: Readonly<Record<string, string>>;
  /** What stands for what in its commands. */
  readonly places?: Readonly<Record<string, string>>;
  /** Lines that begin so are not run, and why. */
  readonly leftOut?: Readonly<Record<string, string>>;
}

const IN_CONTAINERS = "takes a Docker engine: test/deploy/containers.test.ts";
const IN_CLUSTER = "takes a cluster: test/deploy/kubernetes-run.test.ts runs what the manifests start";
const ON_A_SMALL_STREAM = "takes an hour: test/bench/bench.test.ts";
const WITHOUT_END = "runs until it is ended: test/e2e/dashboard.test.ts";

/** Every document that shows commands to a shell, but for docs/runbook.md, and what its commands need here. */
export const documentPlays: readonly DocumentPlay[] = [
  {
    file: "README.md",
    before: `nats pub events.orders.o1.OrderPlaced '{"event_id":"e1","aggregate_id":"o1","event_type":"OrderPlaced","payload":{"amount":3}}'
      echo "export default { name: 'revenue', initial: () => ({ n: 0 }), evolve: (s) => ({ n: s.n + 1 }) };" > revenue.ts`,
    files: { "orders.ts": "// orders.ts" },
    leftOut: {
      "npm run demo": "test/e2e/demo.test.ts",
      "npm test": "is what runs this",
      "npm run setup": "was done before",
      "docker ": IN_CONTAINERS,
      "cim-replay dashboard": WITHOUT_END,
    },
  },
  {
    file: "CONTRIBUTING.md",
    leftOut: { "npm ": "CI runs these", "npx vitest": "is what runs this", ".ci/run": "is what runs this" },
  },
  {
    file: "docs/archives.md",
    // On a terminal it is asked instead.
    places: {
      "restore-checkpoint --name before-the-upgrade\n": "restore-checkpoint --name before-the-upgrade --yes\n",
      "delete-checkpoint --name before-the-upgrade ": "delete-checkpoint --name before-the-upgrade --yes ",
    },
  },
  { file: "docs/benchmarks.md", leftOut: { "npm run bench": ON_A_SMALL_STREAM } },
  { file: "docs/certificate.md" },
  { file: "docs/containers.md", leftOut: { "docker ": IN_CONTAINERS } },
  {
    file: "docs/dashboard.md",
    leftOut: { "cim-replay dashboard": WITHOUT_END, CIM_REPLAY_DASHBOARD_PASSWORD_FILE: WITHOUT_END },
  },
  { file: "docs/kubernetes.md", leftOut: { "kubectl ": IN_CLUSTER } },
  { file: "docs/memory.md" },
  {
    file: "docs/monitoring.md",
    // Nobody listens there: a run does not depend on its traces' being taken.
    places: { "http://collector:4318": "http://127.0.0.1:9" },
    leftOut: { "promtool ": "test/deploy/prometheus.test.ts", "prometheus ": "runs until it is ended" },
  },
  {
    file: "docs/nix.md",
    leftOut: {
      "nix run . ": "takes nix: test/deploy/flake.test.ts",
      "nix develop": "takes nix: test/deploy/flake.test.ts",
      "nix build": "takes nix: test/deploy/flake.test.ts",
      "nix flake": "takes nix: test/deploy/flake.test.ts",
    },
  },
  {
    file: "docs/projections.md",
    before: `nats pub events.orders.o2.OrderPlaced '{"event_id":"e2","aggregate_id":"o2","event_type":"OrderPlaced","payload":{"amount":4}}'
      for name in orders revenue; do
        echo "export default { name: '$name', initial: () => ({ n: 0 }), evolve: (s) => ({ n: s.n + 1 }) };" > $name.ts
      done
      echo 'domains: { orders: { projection: [./orders.ts=CIM_ORDERS, ./revenue.ts=CIM_REVENUE] } }' > two.yaml`,
    places: {
      "event-replay --domain orders ": "event-replay --config two.yaml --domain orders ",
      "verify-domain --domain orders --target CIM_REVENUE":
        "verify-domain --config two.yaml --domain orders --target CIM_REVENUE",
      "point-in-time-replay --target-time 2026-01-31T12:00:00Z --target CIM_REVENUE":
        "point-in-time-replay --config two.yaml --target-time 2026-01-31T12:00:00Z --target CIM_REVENUE",
    },
  },
  {
    file: "docs/quarantine.md",
    leftOut: {
      "replay-status --run ID": "of a run that failed: packages/cli/src/commands/quarantine.test.ts",
      "quarantine ": "a synopsis: packages/cli/src/commands/quarantine.test.ts and quarantine-retry.test.ts",
    },
  },
  { file: "docs/rules.md", files: { "rules.yaml": "version: 1" } },
  { file: "docs/scaling.md", leftOut: { "npm run bench": ON_A_SMALL_STREAM } },
  {
    file: "docs/selective-replay.md",
    before: `echo '{ "event_types": ["NodeAdded"], "domains": ["graph"] }' > replay-filter.json`,
    leftOut: { "event-replay --resume": "of an interrupted run: test/faults/selective-resumed.test.ts" },
  },
  {
    file: "docs/services.md",
    places: { "2026-01-31": DAY_OF_EVENTS },
    leftOut: {
      "install ": "changes the machine: test/deploy/systemd.test.ts",
      "systemctl ": "changes the machine: test/deploy/systemd.test.ts",
    },
  },
  {
    file: "docs/throttling.md",
    leftOut: { "tune-replay ": "of a run at work: test/faults/throttled.test.ts" },
  },
];
