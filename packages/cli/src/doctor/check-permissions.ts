import { type NatsClient, type PermissionProbe, type PermissionState, probePermission } from "@cim-replay/nats";
import { type Finding, orOk, problem, warning } from "./finding.ts";

const ABOUT = "permissions";

/** Tries each, all at once, so that nothing comes of it. */
export async function checkPermissions(
  client: NatsClient,
  probes: readonly PermissionProbe[],
): Promise<readonly Finding[]> {
  const tried = await Promise.all(
    probes.map(async (probe) => ({ probe, state: await probePermission(client, probe) })),
  );
  const findings = tried.map(({ probe, state }) => findingOf(probe, state)).filter((finding) => finding !== null);
  return orOk(findings, ABOUT, `all ${probes.length} that a replay takes are held`);
}

function findingOf({ what, kind, subject }: PermissionProbe, state: PermissionState): Finding | null {
  if (state === "held") return null;
  if (state === "silent") {
    return warning(
      ABOUT,
      `no answer on ${subject} within 2 s`,
      `To ${what}, the server must answer there: see its log.`,
    );
  }
  return problem(ABOUT, `${kind} to ${subject} is denied`, `It takes that to ${what}: allow it, or use another login.`);
}
