# Becomes a systemd that nobody else sees: its own processes, mounts, names and control groups; what it writes is in memory.
# Usage: live-systemd.sh <repository> <control group>. The units of deploy/systemd are installed, and /usr/local/bin has our tools.
set -e
repository=$1 group=$2
mkdir "$group"
echo $$ >"$group/cgroup.procs"
exec unshare --fork --pid --mount --ipc --uts --cgroup --mount-proc --propagation private bash -e -s "$repository" <<'INSIDE'
repository=$1
# The one that is there shows the groups of the whole machine.
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for folder in /opt /usr/local/bin /var/log; do mount -t tmpfs -o mode=755 tmpfs "$folder"; done
mkdir /opt/cim-replay
mount --bind "$repository" /opt/cim-replay
mount -t tmpfs -o mode=755 tmpfs /run
for folder in /etc /var/lib; do
  mkdir -p "/run/over$folder/upper" "/run/over$folder/work"
  mount -t overlay overlay -o "lowerdir=$folder,upperdir=/run/over$folder/upper,workdir=/run/over$folder/work" "$folder"
done
mount -t tmpfs tmpfs /tmp
for tool in event-replay cim-replay-worker; do
  printf '#!/bin/sh\nexec /opt/cim-replay/node_modules/.bin/node /opt/cim-replay/packages/cli/bin/%s.js "$@"\n' $tool >/usr/local/bin/$tool
  chmod 755 /usr/local/bin/$tool
done
mkdir -p /etc/cim-replay /run/systemd/system
cp /opt/cim-replay/deploy/systemd/*.service /run/systemd/system/
# What a machine's own units do at its start is not wanted here, and some of it would reach outside.
for unit in tmpfiles-setup.service tmpfiles-setup-dev.service tmpfiles-clean.timer sysctl.service udevd.service udev-trigger.service \
  udevd-control.socket udevd-kernel.socket random-seed.service update-utmp.service remount-fs.service modules-load.service sysusers.service; do
  ln -s /dev/null /run/systemd/system/systemd-$unit
done
for unit in dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount sys-kernel-config.mount \
  proc-sys-fs-binfmt_misc.automount; do
  ln -s /dev/null "/run/systemd/system/$unit"
done
printf '[Unit]\nDescription=tests\nRequires=basic.target\nAfter=basic.target\n' >/run/systemd/system/tests.target
exec env -i PATH=/usr/local/bin:/usr/bin:/bin container=tests /lib/systemd/systemd --system --unit=tests.target --log-target=console
INSIDE
