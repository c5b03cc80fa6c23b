#!/usr/bin/env bash
# Ends the processes that up.sh started, and with them their namespaces, containers and mounts, and deletes the lab's
# directory. --keep leaves it, with the logs.
set -uo pipefail
. "$(dirname "$0")/env.sh"
D=$KUBELAB_DIR
[ -d "$D" ] || exit 0
for f in "$D"/forward.pid "$D"/n*.pid "$D"/cp.pid; do
  name=$(basename "$f" .pid)
  alive "$name" && kill -KILL "$(cat "$f")"
  while alive "$name"; do sleep 0.02; done
  rm -f "$f"
done
for _ in $(seq 50); do # the containers' cgroups empty a moment later
  find /sys/fs/cgroup/*/"$CGROUP" -depth -type d -exec rmdir {} + 2>/dev/null
  ls -d /sys/fs/cgroup/*/"$CGROUP" >/dev/null 2>&1 || break
  sleep 0.1
done
[ "${1:-}" = --keep ] || rm -rf --one-file-system "$D"
