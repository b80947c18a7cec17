import { expect } from "vitest";
import type { Sandbox } from "./sandbox.ts";

const RULES = `version: 1
rules:
  - name: counts-fit
    condition: entry.node_count == size(entry.nodes)
    message: "{{ entry.node_count }} is not the number of nodes"
`;

/** The sample events are of 3 to 7 March 2025. */
export const DAY_OF_EVENTS = "2025-03-05";

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
  sandbox.substitute("2024-01-15", DAY_OF_EVENTS);
}
