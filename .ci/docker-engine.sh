# shellcheck shell=bash
# Sourced by .ci/run. An engine that can be reached is used as it is. Else, as root on a Debian, one is installed, started
# with a folder and a socket of its own, and ended by leave_docker_engine. Where that fails, the reason is printed, and the
# tests that need one say so and are skipped.

engine_dir=$(mktemp -d)
engine_pid=

reach_docker_engine() {
  if docker info >/dev/null 2>&1; then
    printf '== containers: a Docker engine is here\n'
  elif [ "$(id -u)" -ne 0 ]; then
    printf '== containers: no Docker engine can be reached, and only root can start one\n'
    return
  else
    printf '== containers: apt-get install docker.io; dockerd\n'
    install_docker && run_dockerd || return
  fi
  docker compose version >/dev/null 2>&1 || get_compose
}

install_docker() {
  command -v dockerd >/dev/null && return
  # As for Prometheus: installed, not started.
  { apt-get update -qq && RUNLEVEL=1 apt-get install -y -qq --no-install-recommends docker.io; } >/dev/null 2>&1 && return
  printf 'no docker.io: containers will not be tried\n'
  return 1
}

run_dockerd() {
  # Packets no larger than the way out takes: on some virtual machines less than the usual 1500 bytes.
  local device mtu
  device=$(ip route show default 2>/dev/null | sed -nE 's/.* dev ([^ ]+).*/\1/p' | head -n 1)
  mtu=$(cat "/sys/class/net/${device:-lo}/mtu")
  export DOCKER_HOST=unix://$engine_dir/docker.sock
  dockerd --host "$DOCKER_HOST" --data-root "$engine_dir/data" --exec-root "$engine_dir/exec" \
    --pidfile "$engine_dir/pid" --mtu "$((mtu < 1500 ? mtu : 1500))" >"$engine_dir/log" 2>&1 &
  engine_pid=$!
  for _ in $(seq 60); do
    docker info >/dev/null 2>&1 && return
    kill -0 "$engine_pid" 2>/dev/null || break
    sleep 0.5
  done
  printf 'dockerd does not start: %s: containers will not be tried\n' "$(tail -n 1 "$engine_dir/log")"
  return 1
}

# Compose 2 is a program of its own, in Debian since trixie; that one runs on bookworm too.
get_compose() {
  local mirror=$engine_dir/apt site
  site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Origin: Debian' | grep -v security | head -n 1)
  mkdir -p "$mirror"/{lists/partial,cache/archives/partial} "$engine_dir/config/cli-plugins"
  printf 'deb %s trixie main\n' "$site" >"$mirror/sources.list"
  local options=(-qq -o "Dir::Etc::sourcelist=$mirror/sources.list" -o Dir::Etc::sourceparts=- -o APT::Sandbox::User=root
    -o "Dir::State::Lists=$mirror/lists" -o Dir::State::status=/dev/null -o "Dir::Cache=$mirror/cache")
  (
    cd "$mirror" && apt-get "${options[@]}" update && apt-get "${options[@]}" download docker-compose &&
      dpkg -x docker-compose_*.deb . && cp usr/libexec/docker/cli-plugins/docker-compose "$engine_dir/config/cli-plugins/"
  ) >"$mirror/log" 2>&1 || printf 'no docker compose: %s\n' "$(tail -n 1 "$mirror/log")"
  # docker looks for its plugins beside its configuration; what the user has set there still counts.
  cp "${DOCKER_CONFIG:-$HOME/.docker}/config.json" "$engine_dir/config/" 2>/dev/null
  export DOCKER_CONFIG=$engine_dir/config
}

# Ends the engine that was started here, with all that it holds.
leave_docker_engine() {
  if [ -n "$engine_pid" ]; then
    kill "$engine_pid" 2>/dev/null
    wait "$engine_pid" 2>/dev/null
  fi
  rm -rf "$engine_dir"
}
