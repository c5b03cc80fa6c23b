# Sourced by the other scripts. Everything of one lab is under one directory; two directories are two labs.
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export KUBELAB_DIR=${KUBELAB_DIR:?the directory of the lab}
export KUBELAB_BIN=${KUBELAB_BIN:?the folder of kubelab, kubectl and pause.tar (lab.py builds it)}
export KUBELAB_NODES=${KUBELAB_NODES:-3} # 1..9
export KUBELAB_PORT=${KUBELAB_PORT:-16443} # the API server on 127.0.0.1
export PATH=$KUBELAB_BIN:$PATH
CGROUP=$(basename "$KUBELAB_DIR")
# Addresses exist only inside the network namespaces that up.sh makes: 10.89.0.1 control plane (API 6443, DNS 53),
# 10.89.0.1N node N, 10.244.N.0/24 pods of node N, 10.96.0.0/16 services.
CP_IP=10.89.0.1

# alive NAME: is what up.sh started under this name still there? Not when another process has its id now, nor when it is
# dead and only not yet reaped: both show in the command line.
alive() {
  [ -s "$KUBELAB_DIR/$1.pid" ] &&
    tr '\0' ' ' <"/proc/$(cat "$KUBELAB_DIR/$1.pid")/cmdline" 2>/dev/null | grep -qE 'kubelab|tests/kube/lab/'
} 2>/dev/null

# run NAME COMMAND...: in the background, begun again a second after it ends, with NAME.log and NAME.pid (an id inside
# the pid namespace) in the working directory.
run() {
  local name=$1
  shift
  while :; do
    "$@" >>"$name.log" 2>&1 &
    echo $! >"$name.pid"
    wait $!
    sleep 1
  done &
}
