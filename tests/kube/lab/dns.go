package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
)

// dns is CoreDNS with only the plugins a cluster needs. As in what kubeadm sets
// up, nothing of the cluster's own names is cached.
func dns() {
	dnsserver.Directives = []string{"errors", "kubernetes"}
	coremain.Run()
}
