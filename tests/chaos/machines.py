"""Machines of our own making: one network namespace each, joined by a bridge in a namespace of its own, so that no
packet of a run can leave it. Cuts are nftables rules inside the machines. Everything is deleted at the end, by name of
this run, whatever happens."""

import os
import subprocess

PREFIX = "10.77.0."


def sh(*command, check=True):
    return subprocess.run(command, check=check, stdin=subprocess.DEVNULL, capture_output=True, text=True)


class Network:
    def __init__(self):
        self.tag = f"mc{os.getpid()}"
        self.switch = self.tag + "s"
        self.machines = []
        sh("ip", "netns", "add", self.switch)
        self._in_switch("ip", "link", "add", "name", "br0", "type", "bridge")
        self._in_switch("ip", "link", "set", "br0", "up")

    def _in_switch(self, *command):
        sh("ip", "netns", "exec", self.switch, *command)

    def add(self):
        """A new machine; its address counts up from .11."""
        machine = Machine(f"{self.tag}m{len(self.machines)}", PREFIX + str(11 + len(self.machines)))
        port = f"p{len(self.machines)}"
        sh("ip", "netns", "add", machine.namespace)
        self.machines.append(machine)
        sh("ip", "link", "add", "eth0", "netns", machine.namespace, "type", "veth", "peer", "name", port, "netns", self.switch)
        self._in_switch("ip", "link", "set", port, "master", "br0", "up")
        machine.run("ip", "link", "set", "lo", "up")
        machine.run("ip", "addr", "add", machine.address + "/24", "dev", "eth0")
        machine.run("ip", "link", "set", "eth0", "up")
        machine.run("nft", "add", "table", "inet", "cut")
        machine.run("nft", "add", "chain", "inet", "cut", "in", "{ type filter hook input priority 0; }")
        return machine

    def heal(self):
        for machine in self.machines:
            machine.run("nft", "flush", "chain", "inet", "cut", "in")

    def close(self):
        for machine in self.machines:
            sh("ip", "netns", "del", machine.namespace, check=False)
        sh("ip", "netns", "del", self.switch, check=False)


class Machine:
    def __init__(self, namespace, address):
        self.namespace = namespace
        self.address = address

    def command(self, *command):
        return ["ip", "netns", "exec", self.namespace, *command]

    def run(self, *command):
        return sh(*self.command(*command))

    def deaf_to(self, other):
        """Nothing from `other` arrives here any more; what is sent there still leaves. Both deaf: a cut."""
        self.run("nft", "add", "rule", "inet", "cut", "in", "ip", "saddr", other.address, "drop")


def possible():
    """None, or why machines cannot be made here."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool in ("ip", "nft"):
        if subprocess.run(["which", tool], capture_output=True).returncode != 0:
            return f"{tool} is not installed"
    return None
