#!/usr/bin/env bash
# A node: process 1 of its own network, pid and mount namespaces.
. "$(dirname "$0")/env.sh"
i=$1
N=$KUBELAB_DIR/n$i
cd "$N" || exit
mount --make-rshared /
mount -t tmpfs tmpfs /run
for d in kubelet:/var/lib/kubelet containerd:/var/lib/containerd cni:/var/lib/cni cni-conf:/etc/cni/net.d \
  pods:/var/log/pods containers:/var/log/containers; do
  mkdir -p "${d#*:}"
  mount --bind "$N/${d%%:*}" "${d#*:}"
done
echo "nameserver $CP_IP" >resolv.conf # nothing outside the lab is to be asked
mount --bind "$N/resolv.conf" /etc/resolv.conf
for f in vm/overcommit_memory kernel/panic kernel/panic_on_oops; do # the kubelet sets these, the host's
  cat "/proc/sys/$f" >"${f#*/}.sysctl"
  mount --bind "$N/${f#*/}.sysctl" "/proc/sys/$f"
done
cat >/etc/cni/net.d/10-bridge.conflist <<END
{"cniVersion": "1.0.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.$i.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
END
cat >containerd.toml <<END
version = 2
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  stream_server_address = "127.0.0.1"
  disable_apparmor = true
  restrict_oom_score_adj = true # there may be no CAP_SYS_RESOURCE
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
END
run containerd containerd --config containerd.toml
until [ -e /sys/class/net/lo ] && ip link show eth0 >/dev/null 2>&1; do sleep 0.05; done
ip link set lo up
ip addr add "10.89.0.1$i/24" dev eth0
ip link set eth0 up
for j in $(seq "$KUBELAB_NODES"); do [ "$j" = "$i" ] || ip route add "10.244.$j.0/24" via "10.89.0.1$j"; done
ip route add default via $CP_IP
sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1
until ctr version >/dev/null 2>&1; do sleep 0.05; done
for t in "$KUBELAB_BIN"/pause.tar "$KUBELAB_DIR"/images/*.tar; do
  [ -e "$t" ] && ctr -n k8s.io images import "$t" >>images.log 2>&1
done
cat >kubelet.yaml <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
cgroupDriver: cgroupfs
cgroupRoot: /$CGROUP/n$i
clusterDNS: [$CP_IP]
clusterDomain: cluster.local
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
evictionHard: {memory.available: 100Mi, nodefs.available: 1Gi}
failSwapOn: false
imageGCHighThresholdPercent: 100 # there is no registry to get an image back from
nodeStatusUpdateFrequency: 5s
resolvConf: ""
volumePluginDir: /var/lib/kubelet/volumeplugins
END
cat >proxy.yaml <<END
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {kubeconfig: $N/proxy.conf}
clusterCIDR: 10.244.0.0/16
hostnameOverride: n$i
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
END
until kubectl --kubeconfig kubelet.conf get --raw /readyz >/dev/null 2>&1; do sleep 0.1; done
run kubelet kubelab kubelet --config kubelet.yaml --kubeconfig kubelet.conf --hostname-override "n$i" \
  --node-ip "10.89.0.1$i" --node-labels "topology.kubernetes.io/zone=z$i"
run proxy kubelab proxy --config proxy.yaml
wait
