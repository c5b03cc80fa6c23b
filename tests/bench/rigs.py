"""The clusters that `./dev bench cluster` measures, three moldau-brokers and three moldau-controllers each, and the
producer that writes to them: side by side on this machine, or each on a machine of our own making that can be cut off."""

import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "tests/cluster"), os.path.join(ROOT, "tests/client"), os.path.join(ROOT, "tests/chaos")]
import checker  # noqa: E402
import faults  # noqa: E402
import machines  # noqa: E402
import nodes as chaos  # noqa: E402
from cluster import Cluster  # noqa: E402
from harness import deps, node as nodes  # noqa: E402

CLIENT = os.path.join(ROOT, "tests/chaos/client.py")
TOPIC, PARTITIONS, REPLICAS = "bench", 6, 3


class Writer:
    """Writes until it is ended; `told` is then what it was told, line by line."""

    def __init__(self, command):
        self.out = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=self.out, stderr=subprocess.DEVNULL,
                                        start_new_session=True, preexec_fn=chaos.die_with_us)

    def end(self):
        try:
            self.process.stdin.close()
            self.process.wait(180)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        self.out.seek(0)
        return [line.rstrip("\n").split("\t") for line in self.out]


class Rig:
    """A cluster on 127.0.0.1, and a way to ask whether all is in sync."""

    def __init__(self, binaries, folder):
        self.moldau = os.path.join(binaries, "moldau")
        self.cluster = Cluster(folder, binaries)

    def client(self, what, topic, partitions, *rest):
        return [deps.python(), "-u", CLIENT, what, self.cluster.bootstrap, topic, str(partitions), *rest]

    def create(self, topics, partitions, replicas, within):
        subprocess.run(self.client("create", topics, partitions, str(replicas)), check=True, stdin=subprocess.DEVNULL, timeout=within)

    def write(self, settings):
        return Writer(self.client("write", TOPIC, PARTITIONS, "w", *settings))

    def read(self):
        read = subprocess.run(self.client("read", TOPIC, PARTITIONS), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=240, check=True)
        return [line.split("\t") for line in read.stdout.splitlines()]

    def start(self):
        self.cluster.start()
        self.create(TOPIC, PARTITIONS, REPLICAS, within=60)
        self.settle()

    def until(self, what, question, within=120, every=0.01):
        began = time.monotonic()
        while not question():
            if time.monotonic() - began > within:
                raise nodes.NodeFailed(f"{what}: not within {within} s")
            time.sleep(every)
        return time.monotonic() - began

    def in_sync(self, partitions):
        """By the brokers' own count: each partition has a leader that sees all its replicas in sync."""
        brokers = self.cluster.brokers
        try:
            return (all(b.metric("moldau_under_replicated_partitions") == 0 for b in brokers)
                    and sum(b.metric("moldau_led_partitions") for b in brokers) >= partitions)
        except (OSError, ValueError):
            return False

    def settle(self):
        self.until("in sync", lambda: self.in_sync(PARTITIONS), every=0.1)

    def command(self, *words):
        return [self.moldau, *words, "--brokers", self.cluster.bootstrap]

    def balance(self):
        """Leaders are where they were at the beginning."""
        subprocess.run(self.command("partition", "elect", "--yes"), check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, timeout=60)

    def controller_that_leads(self):
        for controller in self.cluster.controllers:
            if controller.alive() and controller.metric("moldau_controller_leading") == 1:
                return controller
        raise nodes.NodeFailed("no controller leads")

    def logs(self):
        return self.cluster.logs()

    def end(self):
        nodes.end_all()


class CutRig(Rig):
    """Every node, and the clients, on a machine of its own (tests/chaos/machines.py)."""

    def __init__(self, binaries, folder):
        self.network = machines.Network()
        self.moldau = os.path.join(binaries, "moldau")
        self.cluster = self.clients = None
        try:
            self.cluster = chaos.Cluster(self.network, folder, binaries)
            self.clients = self.network.add()
        except BaseException:
            self.end()
            raise

    def client(self, what, topic, partitions, *rest):
        return self.clients.command(*super().client(what, topic, partitions, *rest))

    def command(self, *words):
        return self.clients.command(*super().command(*words))

    def settle(self):
        checker.await_in_sync(self.cluster, self.moldau, 60)

    def cut_off(self, node):
        faults.cut_off("cut", self.network, node).done()

    def logs(self):
        return "\n".join(f"--- {node.name}\n{node.log()[-1500:]}" for node in self.cluster.nodes)

    def end(self):
        if self.cluster:
            self.cluster.close()
        self.network.close()
