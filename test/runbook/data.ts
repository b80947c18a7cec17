import { expect } from "vitest";
import type { Sandbox } from "./sandbox.ts";

const RULES = `version: 1
rules:
  - name: counts-fit
    condition: entry.node_count == size(entry.nodes)
    message: "{{ entry.node_count }} is not the number of nodes"
`;

/** Two domains on one stream, replayed once, and what the documents' placeholders stand for. */
export async function prepare(sandbox: Sandbox): Promise<void> {
  const made = await sandbox.run(`generate-events --domains graph,workflow --events 1600 --aggregates 40
event-replay
touch importer.runs
cat > /etc/cim/validation-rules.yaml <<'EOF'
${RULES}EOF
nats kv ls CIM_PROJECTIONS | grep ^graph > keys`);
  expect(made.status, made.output).toBe(0);
  const { output: key } = await sandbox.run("head -n 1 keys");
  sandbox.substitute("<AGGREGATE_ID>", key.trim().replace("graph.", ""));
  sandbox.substitute("<DOMAIN>", "graph");
  // Within the time that the sample events are of.
  sandbox.substitute("2024-01-15", "2025-02-05");
}
