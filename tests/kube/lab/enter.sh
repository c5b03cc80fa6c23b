#!/usr/bin/env bash
# enter.sh NAME COMMAND...: runs a command inside the control plane (cp) or a node (n1, ...), in its directory.
. "$(dirname "$0")/env.sh"
cd "$KUBELAB_DIR/$1" || exit
p=$(cat "../$1.pid")
exec nsenter -t "$p" --net --mount --pid="/proc/$p/ns/pid_for_children" --wd="$PWD" "${@:2}"
