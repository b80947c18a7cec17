import { commandText } from "./custom.ts";
import { bringTo, probe, result, type ServiceResult, type StepContext } from "./steps.ts";
import type { Service } from "./service.ts";

/** Starts one service that ran before it was stopped, and forgets that it did only when it runs again. */
export async function startService(service: Service, context: StepContext): Promise<ServiceResult> {
  const { notes, signal, dryRun } = context;
  const before = await probe(service, signal);
  const noted = notes.of(service.name);
  if (noted === undefined) return result(service, "left alone", before);
  if (noted.kind !== service.kind || noted.target !== service.target) {
    const trouble = `what was stopped under this name was ${noted.kind} ${noted.target}; it is still noted`;
    return result(service, "failed", before, { trouble });
  }
  if (before.state === "unknown") return result(service, "failed", before, { trouble: before.detail });
  const hasAll = (before.replicas ?? 0) >= (noted.replicas ?? 0);
  if (before.state === "running" && hasAll) {
    if (!dryRun) await notes.forget(service.name);
    return result(service, "left alone", before);
  }
  const command = service.starting(noted.replicas);
  if (dryRun) return result(service, "would be started", before, { command });
  context.note(`Starting ${service.name}: ${commandText(command)}`);
  const { probe: after, trouble } = await bringTo("running", service, command, signal);
  if (trouble !== "") return result(service, "failed", after, { trouble });
  await notes.forget(service.name);
  return result(service, "started", after);
}
