#!/bin/sh
# Makes of the built workspace what the image holds: assemble.sh FOLDER. FOLDER/app is the command-line package with its
# production dependencies, FOLDER/bin a link for each tool, FOLDER/state an empty folder.
set -eu
target=$1
app=$target/app

# The legacy way packs the workspace's packages beside the others instead of asking for an injected workspace.
pnpm --filter @cim-replay/cli deploy --prod --legacy "$app"

# What only compilers, debuggers, testers and readers want. Node does not run TypeScript below node_modules.
find "$app" -type f \( -name '*.map' -o -name '*.ts' -o -name '*.cts' -o -name '*.mts' -o -name '*.md' \
  -o -name '*.test.*' -o -name '.tsbuildinfo' \) -exec rm -f {} +
find "$app" -type d -name src -path '*@cim-replay*' -prune -exec rm -rf {} +
rm -rf "$app/src" "$app/.turbo" "$app/tsconfig.json"

mkdir -p "$target/bin" "$target/state"
for file in "$app"/bin/*.js; do
  ln -s "/app/bin/${file##*/}" "$target/bin/$(basename "$file" .js)"
done
