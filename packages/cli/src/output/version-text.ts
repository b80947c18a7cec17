import { readFileSync } from "node:fs";
import { toolVersion } from "./tool-version.ts";

/** Of images and packages, which have no repository beside them: whoever builds them says it. */
const BUILD = "CIM_REPLAY_BUILD";

/** What `--version` shows: `0.1.0 (build 1a2b3c4, Node 24.21.0)`. */
export function versionText(): string {
  const build = process.env[BUILD] || checkedOutCommit()?.slice(0, 12) || "unknown";
  return `${toolVersion()} (build ${build}, Node ${process.versions.node})`;
}

/** Read without git, which may not be here; null where this is no checkout. */
function checkedOutCommit(): string | null {
  const repository = new URL("../../../../.git/", import.meta.url);
  const read = (path: string) => {
    try {
      return readFileSync(new URL(path, repository), "utf8");
    } catch {
      return null;
    }
  };
  const head = read("HEAD")?.trim();
  const [, ref] = /^ref: (.+)$/.exec(head ?? "") ?? [];
  if (ref === undefined) return head ?? null;
  const packed = read("packed-refs")
    ?.split("\n")
    .find((line) => line.endsWith(` ${ref}`));
  return read(ref)?.trim() ?? packed?.split(" ")[0] ?? null;
}
