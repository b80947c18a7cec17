import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const repository = fileURLToPath(new URL("../../", import.meta.url));
const stub = fileURLToPath(new URL("./nixpkgs-stub", import.meta.url));
/** All that the flake reads while it is evaluated. */
const FILES = [
  "flake.nix",
  "nix",
  "deploy/systemd",
  "docs/cli.md",
  "packages/cli/package.json",
  "pnpm-lock.yaml",
] as const;

export const isNixThere = spawnSync("nix", ["--version"]).error === undefined;

/** The flake with a nixpkgs of ours that builds nothing, in a store and a home of its own: no network, no traces. */
export class NixFlake {
  readonly root = realpathSync(mkdtempSync(join(tmpdir(), "cim-replay-flake-")));
  readonly flake = join(this.root, "flake");

  constructor() {
    for (const file of FILES) cpSync(join(repository, file), join(this.flake, file), { recursive: true });
  }

  nix(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
    const { status, stdout, stderr } = spawnSync("nix", ["--store", join(this.root, "store"), ...args], {
      encoding: "utf8",
      maxBuffer: 2 ** 26,
      env: {
        PATH: process.env.PATH,
        HOME: this.root,
        NIX_CONFIG: "experimental-features = nix-command flakes\nbuild-users-group =",
      },
    });
    return { status, stdout, stderr };
  }

  check(): { status: number | null; stderr: string } {
    return this.nix("flake", "check", "--no-build", ...this.#withStub, `path:${this.flake}`);
  }

  /** What stands at a path of the flake's outputs, through a function in Nix. */
  output(path: string, apply: string): unknown {
    return this.#read("--apply", apply, ...this.#withStub, `path:${this.flake}#${path}`);
  }

  /** The units of a machine with this configuration, in Nix, of `services.cim-replay`. */
  unitsOf(configuration: string): unknown {
    return this.#read(
      "--impure",
      "--expr",
      `let
        nixpkgs = builtins.getFlake "path:${stub}";
        self = (import ${this.flake}/flake.nix).outputs { inherit self nixpkgs; } // { outPath = ${this.flake}; };
        machine = nixpkgs.lib.nixosSystem {
          system = "x86_64-linux";
          modules = [ self.nixosModules.default { services.cim-replay = ${configuration}; } ];
        };
      in machine.config.systemd.services`,
    );
  }

  readonly #withStub = ["--no-write-lock-file", "--override-input", "nixpkgs", `path:${stub}`] as const;

  #read(...args: readonly string[]): unknown {
    const { status, stdout, stderr } = this.nix("eval", "--json", ...args);
    if (status !== 0) throw new Error(stderr);
    return JSON.parse(stdout);
  }
}
