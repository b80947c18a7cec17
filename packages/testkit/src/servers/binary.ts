import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { atLeast, parseVersion, type ServerKind, type Version } from "./versions.ts";

const run = promisify(execFile);

/** A server's program that was started once with `--version` and answered. */
export interface ServerBinary {
  readonly kind: ServerKind;
  readonly path: string;
  readonly version: Version;
  /** What the program needs in its environment beyond the starter's own: LD_LIBRARY_PATH, or nothing. */
  readonly env: Readonly<Record<string, string>>;
  readonly origin: "PATH" | "cache";
}

/** Runs `path --version`; null where it does not run here (another architecture, a library missing) or is too old. */
export async function probeBinary(
  kind: ServerKind,
  path: string,
  origin: ServerBinary["origin"],
  env: Readonly<Record<string, string>> = {},
): Promise<ServerBinary | null> {
  try {
    const { stdout } = await run(path, ["--version"], { env: { ...process.env, ...env }, timeout: 10_000 });
    const version = parseVersion(stdout);
    return version !== null && atLeast(kind, version) ? { kind, path, version, env, origin } : null;
  } catch {
    return null;
  }
}
