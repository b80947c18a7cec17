import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { commandTable, UMBRELLA } from "@cim-replay/cli";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { isNixThere, NixFlake } from "../support/nix-flake.ts";

const repository = new URL("../../", import.meta.url);
const text = (path: string) => readFileSync(new URL(path, repository), "utf8");

if (!isNixThere) console.warn("The flake is not evaluated: there is no nix (Debian: apt-get install nix-bin).");

const entrySchema = z.object({
  resolution: z.object({ integrity: z.string() }),
  cpu: z.array(z.string()).default([]),
  os: z.array(z.string()).default([]),
  libc: z.array(z.string()).default([]),
});
const lockSchema = z.object({ packages: z.record(z.string(), entrySchema) });

/** By `name@version`, the hashes of what the lockfile wants on a system. */
function lockedFor(cpu: string): Record<string, string> {
  const fits = (list: readonly string[], word: string) => list.length === 0 || list.includes(word);
  const { packages } = lockSchema.parse(parse(text("pnpm-lock.yaml")));
  return Object.fromEntries(
    Object.entries(packages)
      .filter(([, entry]) => fits(entry.cpu, cpu) && fits(entry.os, "linux") && fits(entry.libc, "glibc"))
      .map(([key, { resolution }]) => [key, resolution.integrity]),
  );
}

describe.runIf(isNixThere)("flake.nix", () => {
  let flake: NixFlake;
  beforeAll(() => {
    flake = new NixFlake();
  });
  afterAll(() => rmSync(flake.root, { recursive: true, force: true }));

  test("evaluates: packages, apps, shells, module, checks", () => {
    const { status, stderr } = flake.check();
    expect(status, stderr).toBe(0);
  });

  test("has an app for every command, by its tool's name or its own, and no other", () => {
    const apps = flake.output("apps.x86_64-linux", "builtins.attrNames");
    expect(apps).toEqual(["default", UMBRELLA, ...commandTable.map(({ name, bin }) => bin ?? name)].sort());
  });

  test("has apps whose programs are tools of the package", () => {
    const bins = z
      .object({ bin: z.record(z.string(), z.string()) })
      .parse(JSON.parse(text("packages/cli/package.json"))).bin;
    const programs = z
      .record(z.string(), z.string())
      .parse(flake.output("apps.x86_64-linux", "builtins.mapAttrs (_: app: app.program)"));
    for (const { bin, name } of commandTable) {
      const program = programs[bin ?? name] ?? "";
      if (bin === null) expect(program).toMatch(new RegExp(`^/nix/store/[^/]+-${name}$`));
      else expect(Object.keys(bins)).toContain(/^\/nix\/store\/[^/]+\/bin\/(.*)$/.exec(program)?.[1]);
    }
    expect(programs.default).toBe(programs[UMBRELLA]);
  });

  test("has every app that a page tells people to run", () => {
    const apps = flake.output("apps.x86_64-linux", "builtins.attrNames");
    const pages = ["README.md", ...readdirSync(new URL("docs", repository)).map((name) => `docs/${name}`)];
    const sources = [...pages.filter((page) => page.endsWith(".md")), "test/runbook/commands.ts"].map(text);
    const told = sources.flatMap((source) => [...source.matchAll(/nix run \.#([\w-]+)/g)].map(([, name]) => name));
    expect(told.length).toBeGreaterThan(10);
    expect(apps).toEqual(expect.arrayContaining([...new Set(told)]));
  });

  test.each([
    ["x86_64-linux", "x64"],
    ["aarch64-linux", "arm64"],
  ])("takes for %s the packages of the lockfile, each with its hash", (system, cpu) => {
    const taken = flake.output(
      `packages.${system}.default.dependencies`,
      'list: builtins.listToAttrs (map (d: { name = d.name + "@" + d.version; value = d.hash; }) list)',
    );
    expect(taken).toEqual(lockedFor(cpu));
  });

  test("has no hash that stands for one to come", () => {
    expect(text("flake.nix") + text("nix/package.nix")).not.toMatch(/fakeHash|fakeSha|sha256-A{10}/);
  });

  describe("the NixOS module", () => {
    const unitsSchema = z.record(
      z.string(),
      z.object({
        environment: z.record(z.string(), z.string()),
        serviceConfig: z.record(z.string(), z.union([z.string(), z.array(z.string())])),
      }),
    );
    const unitsOf = (configuration: string) => unitsSchema.parse(flake.unitsOf(configuration));

    test("makes no unit by itself", () => {
      expect(unitsOf("{ }")).toEqual({});
    });

    test("makes as many workers as are asked for, hardened as the unit file is", () => {
      const units = unitsOf(
        '{ worker = { enable = true; count = 2; metricsPort = 9091; }; environmentFile = "/run/secrets/replay"; }',
      );
      expect(Object.keys(units)).toEqual(["cim-replay-worker-1", "cim-replay-worker-2"]);
      expect(units["cim-replay-worker-2"]?.environment).toMatchObject({
        CIM_REPLAY_CONCURRENCY: "1",
        CIM_REPLAY_METRICS_PORT: "9092",
      });
      const {
        ExecStart: start,
        EnvironmentFile: files,
        ...hardened
      } = units["cim-replay-worker-1"]?.serviceConfig ?? {};
      expect(start).toMatch(/^\/nix\/store\/\S+\/bin\/cim-replay-worker$/);
      expect(files).toEqual(["/run/secrets/replay"]);
      const [, section = ""] =
        /\[Service\]\n(.*)\n\[Install\]/s.exec(text("deploy/systemd/cim-replay-worker@.service")) ?? [];
      const lines = section
        .split("\n")
        .filter((line) => /^\w+=/.test(line) && !/^(ExecStart|Environment|EnvironmentFile)=/.test(line));
      const made = Object.entries(hardened).flatMap(([key, value]) => [value].flat().map((one) => `${key}=${one}`));
      expect(made.sort()).toEqual(lines.sort());
    });

    test("starts the dashboard with the flags that it has", () => {
      const units = unitsOf(
        '{ dashboard = { enable = true; host = "0.0.0.0"; port = 8080; allowActions = true; trustHeader = "X-User"; trustProxy = "10.0.0.0/8"; }; }',
      );
      const start = String(units["cim-replay-dashboard"]?.serviceConfig.ExecStart);
      expect(start).toMatch(
        / dashboard --host 0\.0\.0\.0 --port 8080 --allow-actions --trust-header X-User --trust-proxy 10\.0\.0\.0\/8$/,
      );
      const sections = text("docs/cli.md").split(/^## /m);
      const help = sections.find((section) => section.startsWith("cim-replay dashboard\n"));
      for (const [flag] of start.matchAll(/--[a-z-]+/g)) expect(help).toMatch(new RegExp(`^ +${flag}\\b`, "m"));
    });

    test("refuses what is no option, and a value of the wrong type", () => {
      expect(() => unitsOf("{ worker.enabled = true; }")).toThrow("no such option: services.cim-replay.worker.enabled");
      expect(() => unitsOf("{ worker.enable = true; worker.count = 0; }")).toThrow("is no positive integer");
    });
  });
});

test("the package's registry gives tarballs to an install by the URLs that pnpm asks for", async () => {
  const folder = mkdtempSync(join(tmpdir(), "cim-replay-tarballs-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "plain-1.0.0.tgz"), "plain");
  writeFileSync(join(folder, "@scope+inner-2.0.0.tgz"), "scoped");
  const ask = `for (const path of ["plain/-/plain-1.0.0.tgz", "@scope/inner/-/inner-2.0.0.tgz", "@scope%2finner/-/inner-2.0.0.tgz", "plain"])
    await fetch(process.argv[1].replace("--registry=", "") + path).then(async (got) => console.log(got.status, await got.text()));`;
  const registry = fileURLToPath(new URL("nix/registry.mjs", repository));
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [
    registry,
    folder,
    process.execPath,
    "--input-type=module",
    "-e",
    ask,
    "--",
  ]);
  expect(stdout).toBe("200 plain\n200 scoped\n200 scoped\n404 \n");
  await expect(
    run(process.execPath, [registry, folder, process.execPath, "-e", "process.exit(3)", "--"]),
  ).rejects.toThrow(expect.objectContaining({ code: 3 }));
});
