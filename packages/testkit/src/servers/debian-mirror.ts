import { readFile } from "node:fs/promises";
import { ReplayError } from "@cim-replay/core";
import { run } from "./run.ts";

/**
 * The mirror that this machine itself installs from (the security archive is another site: it holds fixes only).
 * Throws ReplayError where the machine is no Debian or has no such source.
 */
export async function debianMirror(): Promise<string> {
  const osRelease = await readFile("/etc/os-release", "utf8").catch(() => "");
  if (!/^ID="?debian"?$/m.test(osRelease)) throw new ReplayError("this machine is no Debian");
  const codename = /^VERSION_CODENAME="?(\w+)"?$/m.exec(osRelease)?.[1] ?? "sid";
  const sites = [...(await sitesFromLists()), ...(await sitesFromSources())];
  const main = new Set([codename, "oldstable", "stable", "testing", "unstable", "sid"]);
  const found = sites.find(({ release }) => main.has(release));
  if (found === undefined) throw new ReplayError(`apt has no source for Debian ${codename} on this machine`);
  return found.site;
}

interface Site {
  readonly site: string;
  readonly release: string;
}

async function sitesFromLists(): Promise<Site[]> {
  const format = "$(ORIGIN)|$(RELEASE)|$(SITE)";
  const text = await run("apt-get", ["indextargets", "--format", format, "Created-By: Packages"]);
  return text.split("\n").flatMap((line) => {
    const [origin, release, site] = line.split("|");
    return origin === "Debian" && release && site ? [{ release, site }] : [];
  });
}

/** Where `apt-get update` never ran (fresh container images), apt knows its sources only as what it would fetch. */
async function sitesFromSources(): Promise<Site[]> {
  const text = await run("apt-get", ["update", "--print-uris"]).catch(() => "");
  return [...text.matchAll(/^'([^']+\/debian)\/dists\/([^/']+)\/InRelease'/gm)].map((found) => ({
    site: found[1] ?? "",
    release: found[2] ?? "",
  }));
}
