import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const NATS_PROGRAM = fileURLToPath(new URL("nats-program.ts", import.meta.url));
const BIN = fileURLToPath(new URL("../../node_modules/.bin", import.meta.url));

/** They take the place of what the machine has: what they would touch is not the test's. */
const ALWAYS: Readonly<Record<string, string>> = {
  // `nix run .#TOOL -- ARGS`
  nix: `[ "$1" = run ] || exit 2
tool="\${2#.#}"; shift 2
[ -x "${BIN}/$tool" ] || { echo "no app $tool" >&2; exit 1; }
exec "${BIN}/$tool" "$@"`,
  systemctl: `echo "systemctl $*" >> "$RUNBOOK_DIR/calls"`,
  kubectl: `echo "kubectl $*" >> "$RUNBOOK_DIR/calls"`,
  nats: `exec "${BIN}/node" "${NATS_PROGRAM}" "$@"`,
  // Only processes of this sandbox: another's replay is not to be signalled.
  pgrep: `status=1
for pid in $(/usr/bin/env PATH="$RUNBOOK_REAL_PATH" pgrep "$@"); do
  if tr '\\0' '\\n' 2>/dev/null < /proc/$pid/environ | grep -qx "RUNBOOK_DIR=$RUNBOOK_DIR"; then echo $pid; status=0; fi
done
exit $status`,
  // Once, instead of for ever.
  watch: `while [ "\${1#-}" != "$1" ]; do if [ "$1" = -n ]; then shift; fi; shift; done
exec sh -c "$*"`,
  less: `exec cat "$@"`,
};

/** For machines that have them not. */
const WHERE_MISSING: Readonly<Record<string, string>> = {
  curl: `exec "${BIN}/node" -e 'fetch(process.argv.at(-1)).then((r) => r.text()).then((t) => process.stdout.write(t), () => process.exit(7))' "$@"`,
  jq: `exec "${BIN}/node" -e '
const path = process.argv.slice(1).find((word) => word.startsWith(".")).split(".").filter((word) => word);
const value = path.reduce((at, word) => at[word], JSON.parse(require("fs").readFileSync(0, "utf8")));
console.log(JSON.stringify(value, null, 2));' -- "$@"`,
};

/** Writes the programs into `folder`; returns the PATH that finds them first, then the project's commands. */
export function layOutPrograms(folder: string): string {
  mkdirSync(folder, { recursive: true });
  const real = process.env.PATH ?? "";
  const isThere = (name: string) => real.split(delimiter).some((dir) => existsSync(join(dir, name)));
  const missing = Object.entries(WHERE_MISSING).filter(([name]) => !isThere(name));
  for (const [name, script] of [...Object.entries(ALWAYS), ...missing]) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return [folder, BIN, real].join(delimiter);
}
