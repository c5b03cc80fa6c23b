#!/usr/bin/env bash
# The control plane: process 1 of its own network, pid and mount namespaces.
. "$(dirname "$0")/env.sh"
cd "$KUBELAB_DIR/cp" || exit
ip link set lo up
ip link add br0 type bridge forward_delay 0
ip addr add $CP_IP/24 dev br0
ip link set br0 up
ip route add default dev br0 # the services' addresses need some route
run etcd kubelab etcd --data-dir "$PWD/etcd"
until (: </dev/tcp/127.0.0.1/2379) 2>/dev/null; do sleep 0.05; done
run apiserver kubelab apiserver --advertise-address $CP_IP --etcd-servers http://127.0.0.1:2379 \
  --cert-dir "$PWD" --token-auth-file tokens.csv --authorization-mode Node,RBAC --allow-privileged \
  --service-cluster-ip-range 10.96.0.0/16 --enable-aggregator-routing \
  --service-account-issuer https://kubernetes.default.svc --service-account-key-file sa.key \
  --service-account-signing-key-file sa.key --enable-admission-plugins NodeRestriction \
  --kubelet-preferred-address-types InternalIP \
  --default-not-ready-toleration-seconds 30 --default-unreachable-toleration-seconds 30
until [ -s apiserver.crt ] && kubectl --kubeconfig admin.conf get --raw /readyz >/dev/null 2>&1; do sleep 0.1; done
run controller-manager kubelab controller-manager --kubeconfig kcm.conf --leader-elect=false --bind-address 127.0.0.1 \
  --kube-api-qps 200 --kube-api-burst 400 --concurrent-namespace-syncs 20 \
  --use-service-account-credentials --service-account-private-key-file sa.key --root-ca-file apiserver.crt \
  --node-monitor-grace-period 16s
run scheduler kubelab scheduler --kubeconfig scheduler.conf --leader-elect=false --kube-api-qps 200 \
  --kube-api-burst 400 --bind-address 127.0.0.1
run provisioner kubelab provisioner --kubeconfig admin.conf --dir "$KUBELAB_DIR/pv"
cat >Corefile <<END
.:53 {
  errors
  kubernetes cluster.local {
    kubeconfig $PWD/admin.conf
  }
}
END
run dns kubelab dns -conf Corefile
wait
