"""Machines of our own making: one network namespace each, joined by a bridge in a namespace of its own, so that no
packet of a run can leave it. Cuts are nftables rules inside the machines. Everything is deleted at the end, by the name
of this run, whatever happens; what a killed run left is deleted by the next."""

import glob
import os
import re
import shutil
import signal
import subprocess

PREFIX = "10.77.0."
TAG = "mc"


def sh(*command, check=True):
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if check and result.returncode:
        raise RuntimeError(f"{' '.join(command)}: {result.stderr.strip()}")
    return result


class Network:
    def __init__(self):
        self.tag = f"{TAG}{os.getpid()}"
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
        for namespace in [machine.namespace for machine in self.machines] + [self.switch]:
            delete(namespace)


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

    def slow(self, rate):
        self.run("tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", rate, "burst", "16kb", "latency", "600ms")

    def fast(self):
        self.run("tc", "qdisc", "del", "dev", "eth0", "root")


def delete(namespace):
    """With the processes that live in it: they are of this run, and nobody else knows the namespace."""
    for pid in sh("ip", "netns", "pids", namespace, check=False).stdout.split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            pass
    sh("ip", "netns", "del", namespace, check=False)


def sweep(folders):
    """Deletes what runs left that were killed. `folders`: the pattern of their folders, which end in the run's pid."""
    names = [line.split()[0] for line in sh("ip", "netns", "list", check=False).stdout.splitlines() if line]
    for name in names:
        match = re.fullmatch(TAG + r"(\d+)(s|m\d+)", name)
        if match and not os.path.exists(f"/proc/{match[1]}"):
            delete(name)
    for folder in glob.glob(folders):
        pid = folder.rsplit("-", 1)[1]
        if pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
            remove(folder)


def remove(folder):
    """A run's folder, with the file systems that are mounted in it."""
    with open("/proc/mounts") as mounts:
        inside = [where for where in (line.split()[1] for line in mounts) if where.startswith(folder + "/")]
    for where in inside:
        if sh("umount", where, check=False).returncode:
            sh("umount", "-l", where, check=False)
    shutil.rmtree(folder, ignore_errors=True)


def possible():
    """None, or why machines cannot be made here."""
    for tool in ("ip", "tc", "nft", "curl"):
        if not shutil.which(tool):
            return f"{tool} is not installed"
    if os.geteuid() != 0:
        return "network namespaces need root"
    name = f"{TAG}{os.getpid()}s"
    try:
        sh("ip", "netns", "add", name)
        sh("ip", "netns", "exec", name, "nft", "add", "table", "inet", "cut")
    except RuntimeError as refused:
        return f"network namespaces are refused here: {refused}"
    finally:
        sh("ip", "netns", "del", name, check=False)
    return None


def disks_possible(folder):
    """None, or why no file systems of our own can be mounted."""
    if not shutil.which("mkfs.ext4"):
        return "mkfs.ext4 is not installed"
    where = os.path.join(folder, "probe")
    os.makedirs(where)
    try:
        make_disk(where, where + ".img", 8)
        sh("umount", where)
    except RuntimeError as refused:
        return str(refused)
    return None


def make_disk(where, image, megabytes):
    """A file system of its own at `where`, in the file `image`."""
    with open(image, "wb") as file:
        file.truncate(megabytes << 20)
    sh("mkfs.ext4", "-q", "-F", image)
    sh("mount", "-o", "loop", image, where)
