"""Brokers with several log directories, and disks that die or fill up: only what is on them is lost to the broker, and
others lead it within moments."""

import fcntl
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/client"))
from harness import node as nodes  # noqa: E402
from harness.deps import Missing  # noqa: E402
from harness.suite import check, equal  # noqa: E402

from cluster import Cluster  # noqa: E402
from test_dev import lasting_port, until  # noqa: E402
from test_quorum import Commands  # noqa: E402

EXT4_SHUT_DOWN = 0x8004587D  # ioctl EXT4_IOC_SHUTDOWN
NO_LOG_FLUSH = 2


def sh(*command):
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise Missing(f"{' '.join(command)}: {result.stderr.strip()}")


class OwnDisk:
    """A file system of its own that can be made to fail, or to have no space. Needs root."""

    def __init__(self, folder, megabytes):
        if os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
            raise Missing("a file system of one's own needs root and mkfs.ext4")
        self.where, self.image = os.path.join(folder, "disk"), os.path.join(folder, "disk.img")
        os.makedirs(self.where)
        with open(self.image, "wb") as file:
            file.truncate(megabytes << 20)
        sh("mkfs.ext4", "-q", "-F", "-m", "0", self.image)
        self.mount()

    def mount(self):
        sh("mount", "-o", "loop", self.image, self.where)

    def unmount(self):
        subprocess.run(["umount", "-l", self.where], capture_output=True)

    def die(self):
        """Whatever is read or written fails with EIO from now on, as on a disk that was pulled out."""
        held = os.open(self.where, os.O_RDONLY)
        try:
            fcntl.ioctl(held, EXT4_SHUT_DOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(held)

    def fill(self):
        with open(os.path.join(self.where, "ballast"), "wb", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                try:
                    while file.write(bytes(size)) == size:
                        pass
                except OSError:
                    pass

    def empty(self):
        os.remove(os.path.join(self.where, "ballast"))


class Watched:
    """A cluster of three brokers whose first has a disk of its own, and one topic."""

    def __init__(self, folder, binaries, log_dirs, partitions, settings=None):
        self.cluster = Cluster(folder, binaries, brokers=3, controllers=1, settings=settings)
        self.first = self.cluster.broker(1)
        self.first.settings["log.dirs"] = ",".join(log_dirs)
        self.cluster.start()
        self.commands = Commands(binaries, self.cluster.bootstrap)
        self.commands.run("topic", "create", "t", "-p", str(partitions), "-r", "3",
                          "--config", "min.insync.replicas=2")
        self.produced = []

    def partitions(self):
        return {each["partition"]: each for each in json.loads(self.commands.run("partition", "list", "t", "--json"))}

    def produce(self, word, count=200, pad=0):
        lines = [f"{word} {n}" + "." * pad for n in range(count)]
        self.commands.run("produce", "t", lines="\n".join(lines) + "\n")
        self.produced += lines

    def settle(self):
        """All replicas in sync, and led by the preferred one."""
        until("all in sync, the preferred ones lead", 60, lambda: all(
            len(each["in_sync"]) == 3 and each["leader"] == each["replicas"][0] for each in self.partitions().values()))

    def check_records(self):
        got = self.commands.run("consume", "t", "--exit-at-end").splitlines()
        equal(sorted(got), sorted(self.produced), "records")

    def end(self):
        equal([each for each in self.cluster.stop() if each[2] != 0], [], "members that did not end well")


def held(directory):
    return {int(name.rsplit("-", 1)[1]) for name in os.listdir(directory) if name.startswith("t-")}


def one_disk_dies(folder, binaries):
    disk = OwnDisk(folder, 64)
    try:
        one, two = os.path.join(folder, "one"), os.path.join(disk.where, "two")
        watched = Watched(folder, binaries, [one, two], 12)
        first = watched.first
        watched.settle()
        check(min(len(held(one)), len(held(two))) >= 4, f"partitions in each directory: {held(one)}, {held(two)}")
        on_two, on_one = held(two), held(one)
        led = {n for n, each in watched.partitions().items() if each["leader"] == 1}
        check(led & on_two and led & on_one, f"broker 1 leads {led}, of which {on_two} are on the disk that dies")
        watched.produce("before")

        disk.die()
        watched.produce("while")
        took = until("what was on the dead disk is led and held by the others", 20, lambda: all(
            1 not in watched.partitions()[n]["in_sync"] and watched.partitions()[n]["leader"] in (2, 3) for n in on_two))
        seen = watched.partitions()
        equal({n for n in on_one if 1 not in seen[n]["in_sync"]}, set(), "partitions of the good disk that left broker 1")
        equal({n for n in led & on_one if seen[n]["leader"] != 1}, set(), "leaderships of the good disk that went")
        equal(first.metric("moldau_log_directory_failed"), 1, "failed directories")
        check(first.is_ready(), "a broker with one good disk is ready")
        health = " ".join(watched.commands.run("cluster", "health", code=None).split())
        check("log directory" in health, f"the health does not tell of the directory: {health}")

        # The next process cannot read it either. What was there is not made anew on the other disk.
        equal(first.stop()[1], 0, "the end of broker 1")
        first.start()
        until("the good disk's partitions are in sync again", 30, lambda: all(
            1 in watched.partitions()[n]["in_sync"] for n in on_one))
        equal(held(one), on_one, "partitions on the good disk")
        watched.produce("without")
        equal(first.stop()[1], 0, "the end of broker 1")
        disk.unmount()
        disk.mount()
        first.start()
        watched.settle()
        watched.check_records()
        watched.end()
        return f"others led after {took:.2f} s"
    finally:
        disk.unmount()


def disk_fills_up(folder, binaries):
    disk = OwnDisk(folder, 96)
    try:
        watched = Watched(folder, binaries, [os.path.join(disk.where, "logs")], 6)
        first = watched.first
        watched.settle()
        watched.produce("before")
        disk.fill()
        watched.produce("while", 400, 20000)
        took = until("the others lead and hold everything", 20, lambda: all(
            1 not in each["in_sync"] and each["leader"] in (2, 3) for each in watched.partitions().values()))
        equal(first.metric("moldau_log_directory_full"), 1, "full directories")
        check(first.alive(), "a full disk ends nobody")
        watched.produce("without", 200, 2000)
        disk.empty()
        until("there is space", 40, lambda: first.metric("moldau_log_directory_full") == 0)
        watched.settle()
        watched.check_records()
        watched.end()
        return f"others led after {took:.2f} s"
    finally:
        disk.unmount()


class Alone:
    """`moldau dev`, one node with the log directories a and b."""

    def __init__(self, folder, binaries):
        self.folder, self.moldau, self.port = folder, os.path.join(binaries, "moldau"), lasting_port()
        self.logs = {name: os.path.join(folder, name) for name in "ab"}
        self.process = None

    def start(self, names="ab"):
        with open(os.path.join(self.folder, "node.log"), "a") as log:
            self.process = subprocess.Popen(
                [self.moldau, "dev", "--data-dir", os.path.join(self.folder, "data"), "--port", str(self.port), "--http-port", "0",
                 "--set", "log.dirs=" + ",".join(self.logs[name] for name in names)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        nodes.STARTED.append(self.process)
        until("the node answers", 30, lambda: self.run("topic", "list").returncode == 0)

    def end(self):
        self.process.terminate()
        equal(self.process.wait(30), 0, "end of the node")

    def run(self, *words, text=None):
        return subprocess.run([self.moldau, *words, "--brokers", f"127.0.0.1:{self.port}"], input=text, capture_output=True,
                              text=True, timeout=60)

    def held(self, name):
        return {word[:-2] for word in os.listdir(self.logs[name]) if word.startswith("t") and word.endswith("-0")}

    def leads(self, topic):
        return self.run("topic", "describe", topic).stdout.splitlines()[-1].split()[1] == "1"

    def read(self, topic):
        return self.run("consume", topic, "-o", "beginning", "-e").stdout.split()


def one_of_a_node_alone(folder, binaries):
    """A directory that cannot be read, that is back, and that is left out, of a node without company."""
    alone = Alone(folder, binaries)
    topics = [f"t{i}" for i in range(6)]
    alone.start()
    for topic in topics:
        made = alone.run("topic", "create", topic)
        equal(made.returncode, 0, made.stderr)
        sent = alone.run("produce", topic, text=f"in-{topic}\n")
        equal(sent.returncode, 0, sent.stderr)
    in_a, in_b = alone.held("a"), alone.held("b")
    check(in_a and in_b and len(in_a | in_b) == 6, f"topics in both directories: {in_a}, {in_b}")
    alone.end()

    def served(good, bad):
        for topic in sorted(good):
            until(f"{topic} has a leader", 10, lambda topic=topic: alone.leads(topic))
            equal(alone.read(topic), [f"in-{topic}"], topic)
        for topic in sorted(bad):
            until(f"{topic} has no leader", 10, lambda topic=topic: not alone.leads(topic))

    for _ in range(2):
        os.rename(alone.logs["b"], alone.logs["b"] + ".away")
        with open(alone.logs["b"], "w"):
            alone.start()
        served(in_a, in_b)
        alone.end()
        os.remove(alone.logs["b"])
        os.rename(alone.logs["b"] + ".away", alone.logs["b"])
        alone.start()
        served(in_a | in_b, set())
        alone.end()
    alone.start("a")
    served(in_a, in_b)
    alone.end()


def run_directories(suite, binaries):
    binaries = os.path.abspath(binaries)
    for name, test in (("directories: a disk that dies takes its partitions and no others", one_disk_dies),
                       ("directories: one of a node alone goes, comes back and is left out", one_of_a_node_alone),
                       ("directories: a full disk hands its leaderships over and takes them back", disk_fills_up)):
        with tempfile.TemporaryDirectory(prefix="moldau-directories-") as folder:
            suite.run(name, lambda test=test, folder=folder: test(folder, binaries))
        nodes.end_all()
