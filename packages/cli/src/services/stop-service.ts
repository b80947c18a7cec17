import { commandText } from "./custom.ts";
import { bringTo, probe, result, type ServiceResult, type StepContext } from "./steps.ts";
import type { Service } from "./service.ts";

/**
 * Stops one service and waits until it has really stopped. That it ran is noted before: whoever is killed in between has
 * a note too many, and none too few. What does not run keeps the note that an earlier stop has left.
 */
export async function stopService(service: Service, context: StepContext): Promise<ServiceResult> {
  const before = await probe(service, context.signal);
  if (before.state === "unknown") return result(service, "failed", before, { trouble: before.detail });
  if (before.state === "stopped") return result(service, "left alone", before);
  const command = service.stopping();
  if (context.dryRun) return result(service, "would be stopped", before, { command });
  if (before.state !== "stopping") {
    const { kind, target } = service;
    await context.notes.keep(service.name, { kind, target, replicas: before.replicas });
  }
  context.note(`Stopping ${service.name}: ${commandText(command)}`);
  const { probe: after, trouble } = await bringTo("stopped", service, command, context.signal);
  return result(service, trouble === "" ? "stopped" : "failed", after, { trouble });
}
