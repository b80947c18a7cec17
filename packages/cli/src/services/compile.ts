import { composeService } from "./compose.ts";
import { customService } from "./custom.ts";
import { kubernetesService } from "./kubernetes.ts";
import { nameOf, type ServiceEntry } from "./schema.ts";
import type { Service } from "./service.ts";
import { systemdService } from "./systemd.ts";

const DEFAULT_TIMEOUT_MS = 60_000;

/** An entry of the settings file, made into what can be asked, stopped and started. */
export function compileService(entry: ServiceEntry, folder: string): Service {
  const facts = { name: nameOf(entry), timeoutMs: entry.timeout ?? DEFAULT_TIMEOUT_MS, folder };
  const { systemd, kubernetes, compose, command, namespace, context, file, project } = entry;
  if (systemd !== undefined) return systemdService(facts, { unit: systemd, user: entry.user ?? false });
  if (kubernetes !== undefined) {
    const resource = kubernetes.includes("/") ? kubernetes : `deployment/${kubernetes}`;
    return kubernetesService(facts, { resource, namespace, context });
  }
  if (compose !== undefined) return composeService(facts, { service: compose, file, project });
  if (command !== undefined) return customService(facts, command);
  // The schema lets no entry pass that has none of the four.
  throw new Error(`service ${facts.name} is of no kind`);
}
