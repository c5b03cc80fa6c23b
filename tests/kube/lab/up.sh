#!/usr/bin/env bash
# Starts a lab of KUBELAB_NODES nodes; does nothing for what already runs. Prints the kubeconfig's path. Every part runs
# in namespaces made here (network, pid, mount), which end with the one process that *.pid names.
set -euo pipefail
. "$(dirname "$0")/env.sh"
D=$KUBELAB_DIR
mkdir -p "$D"/{cp,pv,images}
chmod 711 "$D" "$D/pv"
cd "$D"

start() { # NAME COMMAND...: a process that leads its own session
  local name=$1
  shift
  setsid "$@" </dev/null >"$D/$name.log" 2>&1 &
  echo $! >"$D/$name.pid"
}
isolated() {
  local name=$1
  shift
  start "$name" unshare --net --pid --fork --kill-child --mount --mount-proc "$@"
}
await_namespace() { # PID
  until [ "$(readlink "/proc/$1/ns/net")" != "$(readlink "/proc/$$/ns/net")" ]; do sleep 0.02; done
}

if [ ! -s cp/sa.key ]; then
  openssl genrsa -out cp/sa.key 2048 2>/dev/null
  token() { openssl rand -hex 16; }
  {
    echo "$(token),admin,admin,\"system:masters\""
    echo "$(token),system:kube-controller-manager,kcm"
    echo "$(token),system:kube-scheduler,scheduler"
    echo "$(token),system:kube-proxy,proxy"
    for i in 1 2 3 4 5 6 7 8 9; do echo "$(token),system:node:n$i,n$i,\"system:nodes\""; done
  } >cp/tokens.csv
fi
kubeconfig() { # FILE USER SERVER
  cat >"$1" <<END
apiVersion: v1
kind: Config
current-context: kubelab
clusters: [{name: kubelab, cluster: {server: "$3", tls-server-name: kubernetes, certificate-authority: $D/cp/apiserver.crt}}]
users: [{name: user, user: {token: $(grep ",$2," cp/tokens.csv | head -1 | cut -d, -f1)}}]
contexts: [{name: kubelab, context: {cluster: kubelab, user: user}}]
END
}
kubeconfig cp/admin.conf admin https://127.0.0.1:6443
kubeconfig cp/kcm.conf system:kube-controller-manager https://127.0.0.1:6443
kubeconfig cp/scheduler.conf system:kube-scheduler https://127.0.0.1:6443
kubeconfig kubeconfig admin "https://127.0.0.1:$KUBELAB_PORT"
chmod 600 kubeconfig cp/*.conf cp/tokens.csv

if ! alive cp; then # the nodes' links ended with it
  "$HERE/down.sh" --keep
  isolated cp "$HERE/control_plane.sh"
fi
cp=$(cat cp.pid)
await_namespace "$cp"
alive forward || start forward kubelab forward --pid "$cp" --listen "127.0.0.1:$KUBELAB_PORT" --to 127.0.0.1:6443

node_cgroups() { # NODE
  local c g
  # What a node that was killed left makes the next kubelet start slowly.
  find /sys/fs/cgroup/*/"$CGROUP/$1" -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null || true
  for c in cpu cpuacct cpuset memory devices freezer blkio pids systemd; do
    for g in "$CGROUP" "$CGROUP/$1"; do
      g=/sys/fs/cgroup/$c/$g
      mkdir -p "$g"
      if [ $c = cpuset ]; then for f in cpus mems; do cat "$g/../cpuset.$f" >"$g/cpuset.$f"; done; fi
    done
  done
}
in_cp() { nsenter -t "$cp" -n "$@"; }

for i in $(seq "$KUBELAB_NODES"); do
  n=n$i
  alive "$n" && continue
  mkdir -p "$n"/{kubelet,containerd,cni,cni-conf,pods,containers}
  kubeconfig "$n/kubelet.conf" "system:node:$n" "https://$CP_IP:6443"
  kubeconfig "$n/proxy.conf" system:kube-proxy "https://$CP_IP:6443"
  chmod 600 "$n"/*.conf
  node_cgroups "$n"
  isolated "$n" "$HERE/node.sh" "$i"
  pid=$(cat "$n.pid")
  await_namespace "$pid"
  until in_cp ip link show br0 >/dev/null 2>&1; do sleep 0.02; done
  in_cp ip link del "$n" 2>/dev/null || true
  in_cp ip link add "$n" type veth peer name eth0 netns "$pid"
  in_cp ip link set "$n" master br0 up
  in_cp ip route replace "10.244.$i.0/24" via "10.89.0.1$i"
done

export KUBECONFIG=$D/kubeconfig
until kubectl get --raw /readyz >/dev/null 2>&1; do
  alive cp || { tail "$D"/cp/*.log >&2; exit 1; }
  sleep 0.1
done
kubectl apply -f "$HERE/storage.yaml" >/dev/null
for i in $(seq "$KUBELAB_NODES"); do
  until kubectl wait --for=condition=Ready "node/n$i" --timeout=60s >/dev/null 2>&1; do
    alive "n$i" || { tail "$D/n$i"/*.log >&2; exit 1; }
    sleep 0.1
  done
done
until kubectl get -n default sa default >/dev/null 2>&1; do sleep 0.1; done
echo "$KUBECONFIG"
