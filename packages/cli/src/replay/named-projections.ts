import { type DomainSettings, UsageError } from "@cim-replay/core";
import { builtinFor } from "@cim-replay/projections";
import { bucketOf, splitProjection } from "../settings/bucket-names.ts";
import type { LoadedSettings } from "../settings/load.ts";

/** A projection as somebody names it, and the bucket that it is to be written to. */
export interface NamedProjection {
  /** A built-in's name or a file's path. */
  readonly named: string;
  readonly bucket: string;
}

type Naming = Pick<LoadedSettings, "settings"> & Partial<Pick<LoadedSettings, "fromFlags">>;

/**
 * What a replay of the domain folds, each into a bucket of its own; one that names none is for `--target`. Throws UsageError
 * where two would be written to one bucket.
 */
export function projectionsToReplay(
  domain: string,
  { settings, fromFlags = {} }: Naming,
  domainSettings: DomainSettings,
): [NamedProjection, ...NamedProjection[]] {
  const written = namesFor(domain, { settings }, domainSettings).map(splitProjection);
  const homeless = written.filter(({ bucket }) => bucket === null).map(({ named }) => named);
  if (homeless.length > 1) {
    throw new UsageError(
      `Cannot replay ${domain} with several projections: ${homeless.join(" and ")} name no bucket of their own. ` +
        `Write each with its bucket: ${written.map(({ named }, at) => `--projection ${named}=${exampleOf(at)}`).join(" ")}.`,
    );
  }
  if (fromFlags.target !== undefined && homeless.length === 0) {
    throw new UsageError(
      `Cannot replay ${domain} into --target ${fromFlags.target}: every projection names a bucket of its own. Leave --target out.`,
    );
  }
  const named = written.map((each) => ({ named: each.named, bucket: each.bucket ?? bucketOf(settings.target) }));
  for (const [at, { bucket }] of named.entries()) {
    const other = named.slice(0, at).find((before) => before.bucket === bucket);
    if (!other) continue;
    throw new UsageError(
      `Cannot replay ${domain}: ${other.named} and ${named[at]?.named} would both be written to bucket ${bucket}, under the same keys. ` +
        "Name a bucket for each, as in --projection graph=CIM_GRAPH.",
    );
  }
  const [first, ...others] = named;
  return [first ?? { named: builtinFor(domain).name, bucket: bucketOf(settings.target) }, ...others];
}

/**
 * The one projection that is named for a bucket; null where none is. One that names no bucket is for any, and so is the only one
 * that is `given` for this call.
 */
export function projectionNamedFor(
  bucket: string,
  given: readonly string[] | null,
  { projection }: Pick<DomainSettings, "projection">,
): string | null {
  const written = (given ?? listOf(projection)).map(splitProjection);
  const found = written.find((each) => each.bucket === bucket) ?? written.find((each) => each.bucket === null);
  if (found) return found.named;
  return given?.length === 1 ? (written[0]?.named ?? null) : null;
}

/** For commands that fold with one projection and write nothing. Throws UsageError where several are named. */
export function onlyProjection(domain: string, naming: Naming, domainSettings: DomainSettings): string {
  const [only, ...others] = namesFor(domain, naming, domainSettings).map((each) => splitProjection(each).named);
  if (others.length === 0) return only ?? builtinFor(domain).name;
  throw new UsageError(
    `Cannot tell with which projection to fold ${domain}: there are ${[only, ...others].join(", ")}. Name one with --projection.`,
  );
}

/** Every bucket that a projection of the settings names. */
export function namedBuckets({ settings, domains }: Pick<LoadedSettings, "settings" | "domains">): string[] {
  const written = [...(settings.projection ?? []), ...[...domains.values()].flatMap((each) => listOf(each.projection))];
  return written.map((text) => splitProjection(text).bucket).filter((bucket) => bucket !== null);
}

function namesFor(domain: string, { settings }: Naming, { projection }: DomainSettings): readonly string[] {
  const written = settings.projection ?? listOf(projection);
  return written.length > 0 ? written : [builtinFor(domain).name];
}

function listOf(projection: DomainSettings["projection"]): readonly string[] {
  return projection === undefined ? [] : [projection].flat();
}

/** CIM_A, CIM_B, … */
function exampleOf(at: number): string {
  return `CIM_${String.fromCharCode("A".charCodeAt(0) + (at % 26))}`;
}
