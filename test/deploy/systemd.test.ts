import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";

const folder = new URL("../../deploy/systemd/", import.meta.url);
const units = readdirSync(folder).filter((name) => name.endsWith(".service"));
const MOST_EXPOSURE = 2;

const scratch = mkdtempSync(join(tmpdir(), "cim-replay-units-"));
afterAll(() => rmSync(scratch, { recursive: true }));

const isThere = spawnSync("systemd-analyze", ["--version"]).error === undefined;
if (!isThere)
  console.warn("Unit files are not checked: there is no systemd-analyze (Debian: apt-get install systemd).");

function analyze(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync("systemd-analyze", args, { encoding: "utf8" });
  return { status, text: `${stdout}${stderr}` };
}

/** As it is, but with programs that are there: `verify` looks for them. */
function installed(unit: string): string {
  const text = readFileSync(new URL(unit, folder), "utf8").replace(/^ExecStart=\S+/gm, "ExecStart=/bin/true");
  const path = join(scratch, unit);
  writeFileSync(path, text);
  return path;
}

test("there is a unit for workers and one for runs, whose programs are tools of ours", () => {
  const bins: unknown = JSON.parse(
    readFileSync(new URL("../../packages/cli/package.json", import.meta.url), "utf8"),
  ).bin;
  expect(units.sort()).toEqual(["cim-replay-worker@.service", "cim-replay.service"]);
  for (const unit of units) {
    const [, program] = /^ExecStart=\/usr\/local\/bin\/(\S+)/m.exec(readFileSync(new URL(unit, folder), "utf8")) ?? [];
    expect(bins).toHaveProperty([program ?? "none"]);
  }
});

test("a stopped run counts as a success, and only the command gets the signal", () => {
  const text = readFileSync(new URL("cim-replay.service", folder), "utf8");
  for (const line of ["SuccessExitStatus=130", "KillMode=mixed", "KillSignal=SIGTERM"])
    expect(text).toContain(`${line}\n`);
});

test.runIf(isThere).each(units)("systemd finds nothing wrong with %s", (unit) => {
  expect(analyze("verify", "--man=no", installed(unit))).toEqual({ status: 0, text: "" });
});

test.runIf(isThere).each(units)("systemd rates the exposure of %s at 2.0 or less", (unit) => {
  const { text } = analyze("security", "--offline=true", "--no-pager", installed(unit));
  const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(text)?.[1] ?? "NaN");
  expect(exposure).toBeLessThanOrEqual(MOST_EXPOSURE);
});
