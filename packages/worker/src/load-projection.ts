import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { isAbsolute, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import {
  type CompiledProjection,
  compileProjection,
  errorMessage,
  type ProjectionRef,
  parseProjection,
  ReplayError,
  UsageError,
} from "@cim-replay/core";
import { builtinProjections } from "@cim-replay/projections";

/** Raised when a built-in's states or values change: a run does not mix two versions. */
const BUILTIN_VERSION = 1;

/** From what a person names, a built-in or a file, to what a run pins. Throws UsageError. */
export async function resolveProjection(
  nameOrPath: string,
  directory: string = process.cwd(),
): Promise<{ ref: ProjectionRef; projection: CompiledProjection }> {
  const ref = builtinProjections.has(nameOrPath)
    ? builtinRef(nameOrPath)
    : await fileRef(isAbsolute(nameOrPath) ? nameOrPath : resolve(directory, nameOrPath));
  const projection = await loadProjection(ref);
  return { ref: { ...ref, name: projection.name }, projection };
}

/** Loads the very projection that a run pinned; throws ReplayError where this machine has another. */
export async function loadProjection(ref: ProjectionRef): Promise<CompiledProjection> {
  if (ref.source === "builtin") return loadBuiltin(ref);
  const path = ref.path ?? "";
  const found = await sha256OfFile(path);
  if (found !== ref.sha256) {
    throw new ReplayError(
      `Cannot fold with ${path}: its SHA-256 is ${found.slice(0, 12)}…, the run pinned ${ref.sha256.slice(0, 12)}…. ` +
        "Put the run's own version of the file there, or start a new run.",
    );
  }
  // The hash in the query keeps a module that was loaded before its file changed from being used again.
  const module: unknown = await import(`${pathToFileURL(path).href}?sha256=${found}`).catch((error: unknown) => {
    throw new UsageError(`Cannot load projection ${path}: ${errorMessage(error)}. Mend the file and try again.`);
  });
  const value = typeof module === "object" && module !== null && "default" in module ? module.default : undefined;
  return compileProjection(parseProjection(value, path));
}

function loadBuiltin(ref: ProjectionRef): CompiledProjection {
  const projection = builtinProjections.get(ref.name);
  if (!projection || builtinRef(ref.name).sha256 !== ref.sha256) {
    throw new ReplayError(
      `Cannot fold with the built-in projection "${ref.name}": this version of cim-replay has another one. ` +
        "Use the version that the run was started with, or start a new run.",
    );
  }
  return compileProjection(projection);
}

function builtinRef(name: string): ProjectionRef {
  const sha256 = createHash("sha256").update(`builtin:${name}:${BUILTIN_VERSION}`).digest("hex");
  return { name, source: "builtin", path: null, sha256 };
}

async function fileRef(path: string): Promise<ProjectionRef> {
  return { name: path, source: "file", path, sha256: await sha256OfFile(path) };
}

async function sha256OfFile(path: string): Promise<string> {
  try {
    return createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
  } catch (error) {
    const builtins = [...builtinProjections.keys()].join(", ");
    throw new UsageError(
      `Cannot read projection ${path}: ${errorMessage(error)}. Name a file that is there, or a built-in: ${builtins}.`,
    );
  }
}
