#!/usr/bin/env bash
# Gives a Docker engine the images that Dockerfile and docker-compose.yml start from. Each is taken as it is where the engine
# has it, pulled where that is possible, and else made of this machine's own files under the same name: Node from the
# installed dependencies (`npm run setup` first), the servers that the tests use, Prometheus from Debian's package.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The name that a file takes where the variable is not set: `ARG NAME=image` or `${NAME:-image}`.
default_of() {
  sed -nE "s/^ARG $1=(.+)/\1/p; s/.*\\\$\{$1:-([^}]+)\}.*/\1/p" Dockerfile docker-compose.yml | head -n 1
}

from_debian() {
  mkdir -p "$work/debian/$1"
  (cd "$work/debian/$1" && apt-get download -qq -o APT::Sandbox::User=root "$1" && dpkg -x ./*.deb .) >&2
  printf '%s\n' "$work/debian/$1"
}

# place PROGRAM TREE [FOLDER OF LIBRARIES]: the program into /usr/local/bin, what it is linked against to where it looks.
place() {
  local library
  cp -L "$1" "$2/usr/local/bin/"
  LD_LIBRARY_PATH=${3:-} ldd "$1" | grep -oE '/[^ ]+' | while read -r library; do
    case $library in
      */ld-linux*) mkdir -p "$2$(dirname "$library")" && cp -L "$library" "$2$library" ;;
      *) cp -L "$library" "$2/usr/lib/$multiarch/" ;;
    esac
  done
}

# A tree with a shell, the usual small programs, and the certificates that this machine trusts.
new_tree() {
  local tree=$work/$1
  mkdir -p "$tree"/{bin,etc/ssl/certs,tmp,data,prometheus,usr/local/bin,"usr/lib/$multiarch"}
  chmod 1777 "$tree/tmp"
  cp "$busybox" "$tree/bin/busybox"
  cp /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/"
  printf 'root:x:0:0::/root:/bin/sh\n' >"$tree/etc/passwd"
  printf '%s\n' "$tree"
}

# build IMAGE TREE INSTRUCTIONS
build() {
  printf 'FROM scratch\nCOPY . /\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n%s\n' "$3" >"$work/Dockerfile"
  docker build --quiet --tag "$1" --file "$work/Dockerfile" "$2" >/dev/null 2>"$work/build.log" || { cat "$work/build.log" >&2; return 1; }
}

make_node() {
  local tree
  tree=$(new_tree node)
  place node_modules/.bin/node "$tree"
  # pnpm is linked against more parts of the C library than Node is.
  cp -L /lib/"$multiarch"/lib{c,dl,m,pthread,resolv,rt,util}.so.* "$tree/usr/lib/$multiarch/"
  mkdir -p "$tree/usr/local/lib/node_modules" "$tree/usr/bin"
  cp -r "$(npm root --global)/npm" "$tree/usr/local/lib/node_modules/"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$tree/usr/local/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$tree/usr/local/bin/npx"
  ln -s ../../bin/busybox "$tree/usr/bin/env"
  build "$1" "$tree" 'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt'
}

make_nats() {
  local tree
  tree=$(new_tree nats)
  place "$(server_of nats path)" "$tree"
  build "$1" "$tree" 'CMD ["nats-server"]'
}

make_redis() {
  local tree folder
  tree=$(new_tree redis)
  folder=$(dirname "$(server_of redis path)")
  place "$folder/redis-server" "$tree" "$(server_of redis libraries)"
  place "$folder/redis-cli" "$tree" "$(server_of redis libraries)"
  build "$1" "$tree" $'RUN chown 999:1000 /data\nWORKDIR /data\nCMD ["redis-server"]'
}

make_prometheus() {
  local tree
  tree=$(new_tree prometheus)
  place "$(command -v prometheus || printf '%s/usr/bin/prometheus' "$(from_debian prometheus)")" "$tree"
  build "$1" "$tree" $'RUN chown 65534:65534 /prometheus\nUSER 65534:65534\nENTRYPOINT ["prometheus"]'
}

# server_of nats|redis path|libraries
server_of() {
  node_modules/.bin/node --input-type=module --eval '
    import { locateNats, locateRedis } from "@cim-replay/testkit";
    const [kind, what] = process.argv.slice(1);
    const { path, env } = await (kind === "nats" ? locateNats() : locateRedis());
    console.log(what === "path" ? path : (env.LD_LIBRARY_PATH ?? ""));
  ' "$1" "$2"
}

multiarch=$(dpkg-architecture -q DEB_HOST_MULTIARCH 2>/dev/null || printf '%s-linux-gnu' "$(uname -m)")
busybox=
for part in NODE NATS REDIS PROMETHEUS; do
  image=$(default_of "${part}_IMAGE")
  [ -n "$image" ] || continue
  if docker image inspect "$image" >/dev/null 2>&1; then
    printf '%s: is here\n' "$image"
  elif timeout 120 docker pull --quiet "$image" >/dev/null 2>&1; then
    printf '%s: pulled\n' "$image"
  else
    if [ -z "$busybox" ]; then busybox=$(from_debian busybox-static)/bin/busybox; fi
    "make_${part,,}" "$image"
    printf '%s: made of this machine'\''s files\n' "$image"
  fi
done
