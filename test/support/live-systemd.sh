# Becomes a systemd that nobody else sees: its own processes, mounts, names and control groups. What it writes is in memory, and of the
# machine's own units it has none but those that every systemd brings along.
# Usage: live-systemd.sh <repository> <control group>. The units of deploy/systemd are installed, and /usr/local/bin has our tools.
set -e
repository=$1 group=$2
mkdir "$group"
echo $$ >"$group/cgroup.procs"
# Whoever started this takes it along, however that ends.
exec setpriv --pdeathsig KILL unshare --fork --kill-child=KILL --pid --mount --ipc --uts --cgroup --mount-proc --propagation private \
  bash -e -s "$repository" <<'INSIDE'
repository=$1
# The one that is there shows the groups of the whole machine.
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for folder in /proc/sys /usr; do
  mount --bind "$folder" "$folder"
  mount -o remount,bind,ro "$folder"
done
mount -t tmpfs -o mode=755 tmpfs /run
for folder in /etc /var; do
  mkdir -p "/run/over$folder/upper" "/run/over$folder/work"
  mount -t overlay overlay -o "lowerdir=$folder,upperdir=/run/over$folder/upper,workdir=/run/over$folder/work" "$folder"
done
for folder in /opt /usr/local/bin /etc/systemd/system; do mount -t tmpfs -o mode=755 tmpfs "$folder"; done
mkdir /opt/cim-replay
mount --bind "$repository" /opt/cim-replay
mount -t tmpfs tmpfs /tmp
for tool in event-replay cim-replay-worker; do
  printf '#!/bin/sh\nexec /opt/cim-replay/node_modules/.bin/node /opt/cim-replay/packages/cli/bin/%s.js "$@"\n' $tool >/usr/local/bin/$tool
  chmod 755 /usr/local/bin/$tool
done
mkdir -p /etc/cim-replay /run/systemd/system
touch /etc/cim-replay/environment
cp /opt/cim-replay/deploy/systemd/*.service /run/systemd/system/
for unit in timers.target paths.target dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
  sys-fs-fuse-connections.mount sys-kernel-config.mount proc-sys-fs-binfmt_misc.automount systemd-tmpfiles-setup.service \
  systemd-tmpfiles-setup-dev.service systemd-tmpfiles-clean.timer systemd-sysctl.service systemd-udevd.service systemd-udev-trigger.service \
  systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-random-seed.service systemd-update-utmp.service \
  systemd-remount-fs.service systemd-modules-load.service systemd-sysusers.service; do
  ln -s /dev/null "/run/systemd/system/$unit"
done
printf '[Unit]\nDescription=tests\nRequires=basic.target\nAfter=basic.target\n' >/run/systemd/system/tests.target
exec env -i PATH=/usr/local/bin:/usr/bin:/bin container=tests /lib/systemd/systemd --system --unit=tests.target --log-target=console
INSIDE
