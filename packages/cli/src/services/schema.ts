import { z } from "zod";
import { durationMs } from "../settings/values.ts";

/** A command of the user's: a program and its arguments, or, where said so, a text for `sh -c`. */
const commandLine = z.union([z.tuple([z.string().min(1)], z.string()), z.strictObject({ shell: z.string().min(1) })], {
  error: "is neither a list of words (program and arguments) nor { shell: TEXT }",
});

/** None begins with `-`: what a file names can be no flag of the program that it is handed to. */
const word = (pattern: RegExp, wanted: string) => z.string(`is not ${wanted}`).regex(pattern, `is not ${wanted}`);
const kubernetesName = word(/^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/, "a Kubernetes name");
const plainName = word(/^[A-Za-z0-9][\w.-]*$/, "a name of letters, digits, _, . and -");

const KINDS = ["systemd", "kubernetes", "compose", "command"] as const;
type ServiceKind = (typeof KINDS)[number];

/** Which keys a kind may have beside its own, `name` and `timeout`. */
const EXTRAS: Readonly<Record<ServiceKind, readonly string[]>> = {
  systemd: ["user"],
  kubernetes: ["namespace", "context"],
  compose: ["file", "project"],
  command: [],
};

const serviceSchema = z
  .strictObject({
    name: z.string().min(1).optional(),
    timeout: durationMs.optional(),
    systemd: word(/^[A-Za-z0-9@][\w:.@\\-]*$/, "a unit's name").optional(),
    user: z.boolean().optional(),
    kubernetes: word(
      /^((deployment|statefulset)\/)?[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/,
      "a deployment's name, deployment/NAME or statefulset/NAME",
    ).optional(),
    namespace: kubernetesName.optional(),
    context: word(/^[A-Za-z0-9][\w.:/@-]*$/, "a kubectl context").optional(),
    compose: plainName.optional(),
    file: z.string().min(1).optional(),
    project: plainName.optional(),
    command: z.strictObject({ stop: commandLine, start: commandLine, status: commandLine }).optional(),
  })
  .superRefine((entry, context) => {
    const kinds = KINDS.filter((kind) => entry[kind] !== undefined);
    const [kind] = kinds;
    if (kind === undefined || kinds.length > 1) {
      const found = kinds.length === 0 ? "has none" : `has ${kinds.join(" and ")}`;
      context.addIssue({ code: "custom", message: `${found} where it needs one of ${KINDS.join(", ")}` });
      return;
    }
    if (kind === "command" && entry.name === undefined)
      context.addIssue({ code: "custom", path: ["name"], message: "a command needs a name to be told by" });
    for (const [owner, extras] of Object.entries(EXTRAS))
      for (const extra of extras)
        if (owner !== kind && extra in entry)
          context.addIssue({ code: "custom", path: [extra], message: `belongs to ${owner}, not to ${kind}` });
  });

export type ServiceEntry = z.infer<typeof serviceSchema>;
export type CommandLine = z.infer<typeof commandLine>;

export const serviceKeys: readonly string[] = Object.keys(serviceSchema.shape);

/** What a person calls a service by: its `name`, or else what it is elsewhere. */
export function nameOf(entry: ServiceEntry): string {
  return entry.name ?? entry.systemd ?? entry.kubernetes?.replace(/^.*\//, "") ?? entry.compose ?? "";
}

/** The section `services` of a settings file: in the order of starting; they are stopped the other way round. */
export const servicesSchema = z
  .array(serviceSchema, { error: "is no list of services" })
  .superRefine((entries, context) => {
    const seen = new Set<string>();
    for (const [i, entry] of entries.entries()) {
      const name = nameOf(entry);
      if (seen.has(name))
        context.addIssue({ code: "custom", path: [i], message: `${name} is there twice: give it a name of its own` });
      seen.add(name);
    }
  });
