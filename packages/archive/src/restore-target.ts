import { ReplayError, UsageError } from "@cim-replay/core";
import { findStreamsFor, type NatsClient, type StreamFacts, streamConfig, streamFacts } from "@cim-replay/nats";
import type { EventsManifest } from "./manifest.ts";

/** What happens to subjects. */
interface SubjectMapping {
  readonly kind: "same" | "prefix" | "transform";
  /** In a person's words. */
  readonly words: string;
  published(subject: string): string;
  stored(subject: string): string;
}

export interface RestoreTarget {
  readonly name: string;
  /** Null where it is still to be made, from `config`. */
  readonly facts: StreamFacts | null;
  readonly config: Readonly<Record<string, unknown>> & { readonly name: string };
  /** Patterns that the stream takes. */
  readonly subjects: readonly string[];
  readonly mapping: SubjectMapping;
  /** Settings of the kept configuration that a stream which is written to by a restore cannot have. */
  readonly leftOut: readonly string[];
}

export interface TargetWishes {
  /** Null: the stream's own name. */
  readonly stream: string | null;
  readonly subjectPrefix: string | null;
  /** Stores under the old subjects although another stream listens to them. */
  readonly keepSubjects: boolean;
}

/** Where the messages go; nothing is written yet. Throws UsageError where they cannot go there. */
export async function restoreTarget(
  client: NatsClient,
  manifest: EventsManifest,
  wishes: TargetWishes,
): Promise<RestoreTarget> {
  const name = wishes.stream ?? manifest.stream.name;
  const [facts, config] = [await streamFacts(client, name), await streamConfig(client, name)];
  if (facts && config) return existing(name, facts, config, wishes);
  const { kept, leftOut } = keptConfig(manifest.stream.config);
  const own = textsOf(manifest.stream.config.subjects);
  const mapping = mappingOf(name, wishes);
  const subjects = subjectsOf(name, own, mapping, wishes);
  const others = await findStreamsFor(client, subjects);
  if (others.length > 0) throw overlap(name, subjects, others);
  const transform = mapping.kind === "transform" ? { subject_transform: transformOf(name) } : {};
  return { name, facts: null, config: { ...kept, ...transform, name, subjects }, subjects, mapping, leftOut };
}

function existing(
  name: string,
  facts: StreamFacts,
  config: Readonly<Record<string, unknown>>,
  wishes: TargetWishes,
): RestoreTarget {
  const hasOurs = JSON.stringify(config.subject_transform) === JSON.stringify(transformOf(name));
  if (config.mirror !== undefined || (config.subject_transform !== undefined && !hasOurs)) {
    const what = config.mirror === undefined ? "changes subjects by a transform of its own" : "is a mirror";
    throw new UsageError(`Cannot restore into stream ${name}: it ${what}. Name another with --stream.`);
  }
  if (wishes.keepSubjects && !hasOurs && wishes.subjectPrefix === null) {
    throw new UsageError(
      `Cannot keep subjects in stream ${name} by a transform: it is there, without one. Leave --keep-subjects out, or name another stream.`,
    );
  }
  const mapping = mappingOf(name, { ...wishes, keepSubjects: hasOurs });
  return { name, facts, config: { ...config, name }, subjects: facts.subjects, mapping, leftOut: [] };
}

function mappingOf(name: string, { subjectPrefix, keepSubjects }: Omit<TargetWishes, "stream">): SubjectMapping {
  if (keepSubjects) {
    const words = `kept as they were; stream ${name} listens to ${ingestOf(name)}.> and stores under the old subjects`;
    return { kind: "transform", words, published: (subject) => `${ingestOf(name)}.${subject}`, stored: (it) => it };
  }
  if (subjectPrefix === null) return { kind: "same", words: "as they were", published: (it) => it, stored: (it) => it };
  const prefixed = (subject: string) => `${subjectPrefix}.${subject}`;
  const words = `S becomes ${subjectPrefix}.S; the old one is in the header Cim-Replay-Origin-Subject`;
  return { kind: "prefix", words, published: prefixed, stored: prefixed };
}

function subjectsOf(name: string, own: readonly string[], mapping: SubjectMapping, wishes: TargetWishes): string[] {
  if (mapping.kind === "transform") return [`${ingestOf(name)}.>`];
  if (own.length > 0) return own.map(mapping.published);
  if (wishes.subjectPrefix !== null) return [`${wishes.subjectPrefix}.>`];
  throw new UsageError(
    `Cannot make stream ${name} as it was: it had no subjects of its own (a mirror, or sources). Give --subject-prefix or --keep-subjects, or make the stream first.`,
  );
}

function overlap(name: string, subjects: readonly string[], others: readonly string[]): UsageError {
  return new UsageError(
    `Cannot make stream ${name} for ${subjects.join(", ")}: stream ${others.join(", ")} listens to these subjects, and no two streams can. ` +
      "Give --keep-subjects (stores them under the same subjects, on a stream that listens elsewhere) or --subject-prefix WORD (S becomes WORD.S).",
  );
}

function ingestOf(name: string): string {
  return `_CIM_REPLAY.restore.${name}`;
}

function transformOf(name: string): { src: string; dest: string } {
  return { src: `${ingestOf(name)}.>`, dest: ">" };
}

/** Those that make a stream copy others, or refuse, change or repeat elsewhere what is published to it. */
const NOT_FOR_A_RESTORE = [
  ...["mirror", "sources", "mirror_direct", "subject_transform", "republish", "sealed", "no_ack", "template_owner"],
  "first_seq",
];

function keptConfig(config: EventsManifest["stream"]["config"]): {
  kept: Record<string, unknown>;
  leftOut: readonly string[];
} {
  const kept = { ...config };
  const leftOut: string[] = [];
  for (const name of NOT_FOR_A_RESTORE) {
    if (kept[name] !== undefined && kept[name] !== false && kept[name] !== 0) leftOut.push(name);
    delete kept[name];
  }
  // The server's own remarks, and ours.
  const metadata = Object.entries(typeof config.metadata === "object" ? (config.metadata ?? {}) : {});
  kept.metadata = Object.fromEntries(metadata.filter(([key]) => !/^(?:_nats\.|cim-replay-)/.test(key)));
  return { kept, leftOut };
}

function textsOf(list: unknown): string[] {
  return Array.isArray(list) ? list.filter((item) => typeof item === "string") : [];
}

/** Throws ReplayError where the stream would not take the message. */
export function checkTakes(client: NatsClient, target: RestoreTarget, subject: string, bytes: number): void {
  const published = target.mapping.published(subject);
  if (!target.subjects.some((pattern) => matches(pattern, published))) {
    throw new ReplayError(
      `Cannot restore into stream ${target.name}: it does not take subject ${published} (it takes ${target.subjects.join(", ")}). Add it to the stream, or name another.`,
    );
  }
  const { max_msg_size: own } = target.config;
  const limit = typeof own === "number" && own > 0 ? Math.min(own, client.maxPayloadBytes) : client.maxPayloadBytes;
  if (bytes <= limit) return;
  throw new ReplayError(
    `Cannot restore into stream ${target.name}: a message of ${subject} is of ${bytes} bytes with the headers that say where it comes from, and the most is ${limit}. Raise max_payload of the server, or max_msg_size of the stream.`,
  );
}

function matches(pattern: string, subject: string): boolean {
  if (pattern === ">" || pattern === subject) return true;
  const tokens = subject.split(".");
  const wanted = pattern.split(".");
  if (wanted.at(-1) === ">") {
    return (
      tokens.length >= wanted.length && wanted.slice(0, -1).every((token, i) => token === "*" || token === tokens[i])
    );
  }
  return tokens.length === wanted.length && wanted.every((token, i) => token === "*" || token === tokens[i]);
}
