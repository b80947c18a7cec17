import { cancelRun, continueRun, forgetSegments, isCoordinated, pauseRun, planReplay } from "@cim-replay/coordinator";
import { ReplayError, type RunRecord, silentLog } from "@cim-replay/core";
import type { Preview, ReplayForm, RunActions } from "@cim-replay/dashboard";
import { Ledger, type NatsClient } from "@cim-replay/nats";
import { audit, auditedTarget } from "../audit.ts";
import type { Invocation } from "../command.ts";
import { readRequest } from "../replay/request.ts";
import { newRunId } from "../replay/run-id.ts";
import { runSettingsFor } from "../replay/run-settings.ts";
import type { ChildProcesses } from "./child-processes.ts";

const TOOL = "domain-replay";

/** What people may do in the dashboard, by the same means as the commands of the same name. */
export function runActions(invocation: Invocation, client: NatsClient, children: ChildProcesses): RunActions {
  const ledgerOf = async () => {
    const ledger = await Ledger.open(client);
    if (ledger) return ledger;
    throw new ReplayError("Cannot find that run: no run was ever begun on these servers.");
  };
  const runOf = async (ledger: Ledger, runId: string): Promise<RunRecord> => {
    const run = await ledger.getRun(runId);
    if (run) return run.record;
    throw new ReplayError(`Cannot find run ${runId}: the ledger has none of that id. See \`replay-list\`.`);
  };
  const record = (command: string, { id, settings }: RunRecord, who: string, outcome: string) => {
    const audited = { command, step: "done" as const, ...auditedTarget(settings), runId: id, outcome, actsFor: who };
    return audit(client, audited, (line) => invocation.screen.note(line));
  };
  const preview = async (form: ReplayForm): Promise<Preview> => {
    const { loaded, flags } = requestOf(invocation, form);
    const domain = flags.domain ?? "";
    const { settings, projections } = await runSettingsFor(domain, loaded, flags);
    const plan = await planReplay(client, settings, projections, newRunId());
    return { plan, command: [TOOL, ...argumentsOf(form)].join(" ") };
  };

  return {
    preview,
    processes: () => children.list(),

    async start(form, who) {
      requestOf(invocation, form);
      return children.start(TOOL, argumentsOf(form), who);
    },

    async pause(runId, who) {
      const run = await pauseRun(await ledgerOf(), runId, `Paused by ${who} in the dashboard.`);
      await record("pause-replay", run, who, "paused");
    },

    async cancel(runId, reason, who) {
      const run = await cancelRun(await ledgerOf(), runId, `${reason} (${who}, in the dashboard)`);
      await forgetSegments({ client, log: silentLog }, runId);
      await record("cancel-replay", run, who, reason);
    },

    async resume(runId, who) {
      const ledger = await ledgerOf();
      const run = await runOf(ledger, runId);
      const { domain, target } = run.settings;
      if (run.state === "paused" && (await isCoordinated(ledger, { domain, target, runId }))) {
        await record("resume-replay", await continueRun(ledger, runId), who, "goes on");
        return;
      }
      // Nobody coordinates it any more: a process of ours takes it over.
      await children.start("event-replay", ["--resume", `--run=${runId}`], who);
    },

    async retryQuarantined(runId, who) {
      await runOf(await ledgerOf(), runId);
      await children.start("quarantine", ["retry", `--run=${runId}`], who);
    },
  };
}

/** As if it had been typed; throws UsageError with every mistake in it. */
function requestOf(invocation: Invocation, form: ReplayForm) {
  const typed = Object.entries(form).flatMap(([name, value]) => {
    const given = name === "prune" ? value === "yes" || undefined : value;
    return given === undefined ? [] : [[camelCase(name), given] as const];
  });
  return readRequest({ ...invocation, tool: TOOL, flags: { ...invocation.flags, ...Object.fromEntries(typed) } }, true);
}

/** In one word each, so that no value can be taken for a flag. */
function argumentsOf(form: ReplayForm): string[] {
  return Object.entries(form).flatMap(([name, value]) => {
    if (name === "prune") return value === "yes" ? ["--prune"] : [];
    return [`--${name}=${value}`];
  });
}

function camelCase(name: string): string {
  return name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
