import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { runTool, type ToolResult } from "../run-tool.fixture.ts";

/**
 * A program that stands in for systemctl, kubectl and docker: it records how it was called, and keeps what the service is
 * in a file of the service's name. A file NAME.trouble makes it fail, hang, or take its time.
 */
const STAND_IN = `#!/usr/bin/env node
const { appendFileSync, existsSync, readFileSync, writeFileSync } = require("node:fs");
const { spawn } = require("node:child_process");
const { basename, join } = require("node:path");
const dir = process.env.STAND_IN_DIR;
const program = basename(process.argv[1]);
const args = process.argv.slice(2);
appendFileSync(join(dir, "calls"), JSON.stringify([program, ...args]) + "\\n");
const words = args.filter((arg) => !arg.startsWith("-"));
const pathOf = (name) => join(dir, name.replace(/^.*\\//, ""));
const read = (name) => (existsSync(pathOf(name)) ? JSON.parse(readFileSync(pathOf(name), "utf8")) : null);
const write = (name, state) => writeFileSync(pathOf(name), JSON.stringify(state));
const trouble = (name) => read(name + ".trouble") ?? {};
const out = (value) => console.log(typeof value === "string" ? value : JSON.stringify(value));

function act(verb, name, change) {
  const { fail, hang } = trouble(name)[verb] ?? {};
  if (fail) {
    console.error(fail);
    process.exit(1);
  }
  if (hang) {
    const grandchild = spawn("sleep", ["600"], { stdio: "inherit" });
    writeFileSync(pathOf(name) + ".grandchild", String(grandchild.pid));
    setInterval(() => {}, 1000);
    return;
  }
  change();
}

if (program === "systemctl") {
  const [verb, unit] = words;
  const state = read(unit);
  const slowMs = trouble(unit).slowMs ?? 0;
  if (verb === "show") {
    if (trouble(unit).show?.hang) act("show", unit, () => {});
    else if (!state) out("LoadState=not-found\\nActiveState=inactive\\nSubState=dead");
    else {
      const active = state.until > Date.now() ? state.meanwhile : state.active;
      out("LoadState=loaded\\nActiveState=" + active + "\\nSubState=" + (active === "active" ? "running" : "dead"));
    }
  }
  const until = Date.now() + slowMs;
  if (verb === "stop") act("stop", unit, () => write(unit, { active: "inactive", meanwhile: "deactivating", until }));
  if (verb === "start") act("start", unit, () => write(unit, { active: "active", meanwhile: "activating", until }));
}

if (program === "kubectl") {
  const [verb, what] = words;
  if (verb === "scale") {
    const replicas = Number(args.find((arg) => arg.startsWith("--replicas=")).split("=")[1]);
    act("scale", what, () => write(what, { replicas, until: Date.now() + (trouble(what).slowMs ?? 0) }));
  } else if (what === "pods") {
    const name = /app=([^, ]+)/.exec(args.join(" "))[1];
    out({ items: read(name).until > Date.now() ? [{ status: { phase: "Running" } }] : [{ status: { phase: "Succeeded" } }] });
  } else {
    const { replicas } = read(what);
    out({ spec: { replicas, selector: { matchLabels: { app: what.replace(/^.*\\//, "") } } }, status: { readyReplicas: replicas } });
  }
}

if (program === "docker") {
  const [, verb] = words;
  const service = words.at(-1);
  if (verb === "ps") {
    const { states, asList } = read(service);
    const rows = states.map((State) => ({ State, Health: "" }));
    asList ? out(rows) : out(rows.map((row) => JSON.stringify(row)).join("\\n"));
  }
  const all = (State) => write(service, { ...read(service), states: read(service).states.map(() => State) });
  if (verb === "stop") act("stop", service, () => all("exited"));
  if (verb === "start") act("start", service, () => all("running"));
}
`;

export class StandIns {
  readonly folder = mkdtempSync(join(tmpdir(), "cim-replay-services-"));
  readonly #state = join(this.folder, "state");

  constructor(yaml: string) {
    const bin = join(this.folder, "bin");
    for (const folder of [bin, this.#state]) mkdirSync(folder);
    for (const program of ["systemctl", "kubectl", "docker"]) {
      writeFileSync(join(bin, program), STAND_IN);
      chmodSync(join(bin, program), 0o755);
    }
    writeFileSync(join(this.folder, "cim-replay.yaml"), yaml);
  }

  set(name: string, state: object): void {
    writeFileSync(join(this.#state, name), JSON.stringify(state));
  }

  get(name: string): unknown {
    return JSON.parse(readFileSync(join(this.#state, name), "utf8"));
  }

  run(tool: string, ...args: readonly string[]): Promise<ToolResult> {
    const PATH = [join(this.folder, "bin"), process.env.PATH ?? ""].join(delimiter);
    return runTool(tool, args, { cwd: this.folder, env: { PATH, STAND_IN_DIR: this.#state } });
  }

  /** The calls that change something, in their order, without the flags that are the same in all. */
  changes(): string[] {
    const path = join(this.#state, "calls");
    if (!existsSync(path)) return [];
    return readFileSync(path, "utf8")
      .trim()
      .split("\n")
      .map((line): string[] => JSON.parse(line))
      .filter((words) => words.some((word) => ["stop", "start", "scale"].includes(word)))
      .map((words) => words.filter((word) => !["--no-ask-password", "--no-pager", "--"].includes(word)).join(" "));
  }

  get notesFile(): string {
    return join(this.folder, "cim-replay.services.json");
  }
}
