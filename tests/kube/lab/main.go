// kubelab: one binary that is kube-apiserver, kube-controller-manager,
// kube-scheduler, kubelet, kube-proxy, kubectl, etcd, CoreDNS, a local-volume
// provisioner and a loopback forwarder, chosen by the first argument, or by
// the name it is called by: a link called kubectl is kubectl.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	kcm "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	kubectlutil "k8s.io/kubectl/pkg/cmd/util"

	kubectl "k8s.io/kubectl/pkg/cmd"
)

func main() {
	if filepath.Base(os.Args[0]) == "kubectl" {
		if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
			kubectlutil.CheckErr(err)
		}
		return
	}
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: kubelab apiserver|controller-manager|scheduler|kubelet|proxy|etcd|dns|provisioner|forward [flags]")
		os.Exit(2)
	}
	name := os.Args[1]
	os.Args = append([]string{"kubelab-" + name}, os.Args[2:]...)
	var cmd *cobra.Command
	switch name {
	case "apiserver":
		cmd = apiserver.NewAPIServerCommand()
	case "controller-manager":
		cmd = kcm.NewControllerManagerCommand()
	case "scheduler":
		cmd = scheduler.NewSchedulerCommand()
	case "kubelet":
		cmd = kubelet.NewKubeletCommand(context.Background())
	case "proxy":
		cmd = proxy.NewProxyCommand()
	case "etcd":
		fatal(etcd())
	case "dns":
		dns()
	case "provisioner":
		fatal(provisioner())
	case "forward":
		fatal(forward())
	default:
		fatal(fmt.Errorf("unknown command %q", name))
	}
	if cmd != nil {
		os.Exit(cli.Run(cmd))
	}
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
