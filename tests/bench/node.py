"""A broker under measurement: Apache Kafka or `moldau dev`, one process with a fresh data directory on a real disk,
started, ended and killed by pid."""

import base64
import ctypes
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "client"))
from harness import deps, wire  # noqa: E402

import pages  # noqa: E402

PORTS = range(19500, 19600)
KAFKA = os.path.join(deps.HERE, "kafka")
_PR_SET_PDEATHSIG = 1
_given = set()


class NodeFailed(Exception):
    pass


def free_port():
    for port in PORTS:
        if port in _given:
            continue
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise NodeFailed(f"no free port in {PORTS.start}-{PORTS.stop - 1}")


class Node:
    name = "node"

    def __init__(self, folder, control, ports=None):
        self.folder = folder
        os.makedirs(folder)
        self.data = os.path.join(folder, "data")
        self.log_path = os.path.join(folder, "node.log")
        self.ports = ports or [free_port(), free_port()]
        self.port = self.ports[0]
        self.process, self.group = None, control.group(self.name)

    def start(self, topic=None, within=120):
        """Starts the process. Returns the seconds from there to its first answer to ApiVersions and Metadata, the
        broker in it, and the topic with a leader for each partition when one is named."""
        with open(self.log_path, "a") as log:
            began = time.monotonic()
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True, preexec_fn=self._in_child)
        while not self.serves(topic):
            if self.process.poll() is not None:
                raise NodeFailed(f"{self.name} ended with {self.process.returncode} at start:\n{self.last_words()}")
            if time.monotonic() - began > within:
                raise NodeFailed(f"{self.name} does not serve after {within} s:\n{self.last_words()}")
            time.sleep(0.001)
        return time.monotonic() - began

    def _in_child(self):
        # Whatever happens to this program, the broker does not outlive it.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if self.group:
            self.group.enter()

    def serves(self, topic=None):
        try:
            with wire.Connection(self, timeout=5) as connection:
                return bool(wire.api_versions(connection)) and has_leaders(wire.metadata(connection, [topic] if topic else []),
                                                                           bool(topic))
        except (OSError, wire.Closed, struct.error):
            return False

    def create_topic(self, name, partitions):
        with wire.Connection(self) as connection:
            error = wire.create_topic(connection, name, partitions)
        if error:
            raise NodeFailed(f"{self.name} answered error {error} to CreateTopics")
        end = time.monotonic() + 20
        while not self.serves(name):
            if time.monotonic() > end:
                raise NodeFailed(f"{self.name}: topic {name} has no leaders after 20 s")
            time.sleep(0.01)

    def page_cost(self):
        return pages.probe(self.group, self.folder)

    def rss_mb(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024 / 1e6
        raise NodeFailed(f"{self.name} is gone")

    def last_words(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()[-3000:]

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, within=30):
        """SIGTERM, and SIGKILL when that does not end it."""
        if self.alive():
            self.process.terminate()
            try:
                self.process.wait(within)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self):
        if self.alive():
            self.process.kill()
            self.process.wait(30)

    def remove(self):
        """Ends the process at once and deletes what it left."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.group:
            self.group.remove()
            self.group = None
        _given.difference_update(self.ports)


class Reader:
    def __init__(self, body):
        self.body, self.at = body, 0

    def read(self, form):
        value, = struct.unpack_from(form, self.body, self.at)
        self.at += struct.calcsize(form)
        return value

    def skip(self, size):
        self.at += max(size, 0)


def has_leaders(body, with_topic):
    """True if a Metadata v1 answer names a broker and, `with_topic`, a topic without errors and a leader for each of
    its partitions."""
    reader = Reader(body)
    brokers = reader.read(">i")
    for _ in range(brokers):
        reader.skip(4)                   # id
        reader.skip(reader.read(">h"))   # host
        reader.skip(4)                   # port
        reader.skip(reader.read(">h"))   # rack
    reader.skip(4)                       # controller
    topics = reader.read(">i")
    for _ in range(topics):
        if reader.read(">h"):
            return False
        reader.skip(reader.read(">h"))   # name
        reader.skip(1)                   # internal
        for _ in range(reader.read(">i")):
            error, _, leader = reader.read(">h"), reader.read(">i"), reader.read(">i")
            if error or leader < 0:
                return False
            for _ in ("replicas", "in sync"):
                reader.skip(4 * reader.read(">i"))
    return brokers > 0 and (topics > 0 or not with_topic)


class Moldau(Node):
    name = "moldau"

    def __init__(self, folder, control, binary):
        super().__init__(folder, control)
        self.binary = binary

    def command(self):
        return [self.binary, "dev", "--data-dir", self.data, "--port", str(self.port), "--http-port", str(self.ports[1])]


def cluster_identity():
    """A new cluster id for Kafka's storage tool; its first letter must not look like an option."""
    return "M" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]


class Kafka(Node):
    """One node that is broker and controller, with the JVM flags of Kafka's own start script. `more` are properties of
    its own and `identity` names its cluster, when it is one of several."""

    name = "kafka"

    def __init__(self, folder, control, lib, more=None, identity=None, ports=None):
        super().__init__(folder, control, ports)
        self.lib = lib
        self.properties = os.path.join(folder, "server.properties")
        lines = {
            "node.id": "1", "process.roles": "broker,controller",
            "controller.quorum.voters": f"1@127.0.0.1:{self.ports[1]}", "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.ports[1]}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}", "log.dirs": self.data,
            "offsets.topic.replication.factor": "1", "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1", "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1", "group.initial.rebalance.delay.ms": "0", **(more or {}),
        }
        with open(self.properties, "w") as file:
            file.writelines(f"{key}={value}\n" for key, value in lines.items())
        subprocess.run([*self.java("-Xmx256M", "-XX:TieredStopAtLevel=1"), "kafka.tools.StorageTool", "format", "-t",
                        identity or cluster_identity(), "-c", self.properties], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)

    def java(self, *flags):
        return ["java", *flags, f"-Dlog4j2.configurationFile={KAFKA}/log4j2.yaml", "-Dkafka.log.level=INFO",
                "-cp", os.path.join(self.lib, "*")]

    def command(self):
        return [*self.java("-Xmx1G", "-Xms1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
                           "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent",
                           "-XX:MaxInlineLevel=15", "-Djava.awt.headless=true"), "kafka.Kafka", self.properties]
