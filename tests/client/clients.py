"""The clients and what each has to do. A client is a program that speaks lines (README.md of this folder):
phase `first` creates a topic, produces with every codec, reads half through a group and commits; phase `rest`,
after the node was ended and killed and started again, reads on from there and makes its admin calls."""

import json
import os
import struct
import time

from harness import deps
from harness.proc import run
from harness.suite import check, equal

COUNT = 60  # records per codec
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
FIRST = ["create-topic", *(f"produce {codec}" for codec in CODECS), "group"]
ADMIN = ["describe-cluster", "describe-topic", "configs", "groups", "create-partitions", "delete-topic"]
OFFSETS = ["list-offsets", "delete-records"]


class Client:
    def __init__(self, name, command, first=FIRST, rest=()):
        self.name, self.command, self.first, self.rest = name, command, first, ["group", *rest]
        self.topic = "client." + name.replace("@", "").replace("/", "-")
        self.group = "group-of-" + name.replace("@", "").replace("/", "-")
        self.seen = []       # (partition, offset, key) of every record read so far
        self.committed = {}  # partition: next offset

    def run(self, phase, bootstrap):
        result = run([*self.command, phase, bootstrap, self.topic, self.group, COUNT], timeout=150)
        lines = [line.split("\t") for line in result.out.splitlines()]
        done = [line[1] for line in lines if line[0] == "done"]
        equal(sorted(done), sorted(self.first if phase == "first" else self.rest), "what the client did")
        reads = [(int(l[1]), int(l[2]), *l[3:]) for l in lines if l[0] == "read"]
        commits = {int(l[1]): int(l[2]) for l in lines if l[0] == "committed"}
        return reads, commits


def value_of(key):
    return f"{key}:{'moldau ' * (int(key.rsplit('-', 1)[1]) % 40)}"


def check_reads(client, reads, start):
    """Each partition is read in order from `start` without a gap, and every record is what was produced."""
    following = dict(start)
    for partition, offset, key, value, headers in reads:
        equal(offset, following.get(partition, 0), f"the next offset of partition {partition}")
        following[partition] = offset + 1
        equal(value, value_of(key), f"the value of {key}")
        equal(headers, f"codec={key.rsplit('-', 1)[0]};trace={key}", f"the headers of {key}")
        client.seen.append((partition, offset, key))
    return following


def codecs_on_disk(logs, topic):
    """Names of the codecs of the batches in the topic's logs in that directory, read from Kafka's layout."""
    found = set()
    for folder in os.listdir(logs):
        if folder.rsplit("-", 1)[0] != topic:
            continue
        for name in os.listdir(os.path.join(logs, folder)):
            if not name.endswith(".log"):
                continue
            with open(os.path.join(logs, folder, name), "rb") as file:
                data = file.read()
            at = 0
            while at + 61 <= len(data):
                size, = struct.unpack_from(">i", data, at + 8)
                if size <= 0:
                    break
                found.add(CODECS[struct.unpack_from(">h", data, at + 21)[0] & 7])
                at += 12 + size
    return found


def check_codecs(node, topic):
    """Every replica has the batches as they were sent. Who follows may have the last ones a little later."""
    for logs in node.all_logs():
        end = time.monotonic() + 30
        while sorted(codecs_on_disk(logs, topic)) != sorted(CODECS) and time.monotonic() < end:
            time.sleep(0.1)
        equal(sorted(codecs_on_disk(logs, topic)), sorted(CODECS), f"codecs in {logs}, stored as sent")


def first(client, node):
    reads, client.committed = client.run("first", node.bootstrap)
    equal(len(reads), COUNT * len(CODECS) // 2, "records read in the first half")
    following = check_reads(client, reads, {})
    equal(client.committed, following, "what was committed")
    check_codecs(node, client.topic)


def rest(client, node):
    check(client.committed, "its first phase did not get here")
    reads, _ = client.run("rest", node.bootstrap)
    check_reads(client, reads, client.committed)
    want = sorted(f"{codec}-{i}" for codec in CODECS for i in range(COUNT))
    equal(sorted(key for _, _, key in client.seen), want, "all records once, over both halves")


class Kcat(Client):
    """kcat is no library: its phases are its own command lines. Its topic is created by producing."""

    def __init__(self, program):
        super().__init__("kcat", [program])
        self.topic = "client.kcat"

    def kcat(self, node, *arguments, **options):
        return run([*self.command, "-b", node.bootstrap, "-q", *arguments], **options).out

    def read(self, node, count):
        out = self.kcat(node, "-G", self.group, "-c", count, "-J", "-X", "auto.offset.reset=earliest", self.topic)
        reads = []
        for line in out.splitlines():
            m = json.loads(line)
            headers = dict(zip(m["headers"][::2], m["headers"][1::2]))
            reads.append((m["partition"], m["offset"], m["key"], m["payload"],
                          ";".join(sorted(f"{k}={v}" for k, v in headers.items()))))
        return reads

    def first_phase(self, node):
        for codec in CODECS:
            # Headers are the same for all lines of one call: a call per record would be slow, so one each.
            for i in range(3):
                key = f"{codec}-{i}"
                self.kcat(node, "-P", "-t", self.topic, "-K", "|", "-z", codec, "-X", "enable.idempotence=true",
                          "-H", f"codec={codec}", "-H", f"trace={key}", stdin=f"{key}|{value_of(key)}\n")
        reads = self.read(node, 7)
        self.committed = check_reads(self, reads, {})

    def rest_phase(self, node):
        check(self.committed, "its first phase did not get here")
        check_reads(self, self.read(node, 8), self.committed)
        equal(sorted(k for _, _, k in self.seen), sorted(f"{c}-{i}" for c in CODECS for i in range(3)), "all records once")
        metadata = json.loads(self.kcat(node, "-L", "-J"))
        check(any(t["topic"] == self.topic for t in metadata["topics"]), "the topic is listed")
        check(len(metadata["brokers"]) in node.brokers_listed, f"brokers listed: {metadata['brokers']}")
        ends = self.kcat(node, "-Q", "-t", f"{self.topic}:0:-1")
        check(ends.strip().endswith("offset 15"), f"asked for the end: {ends}")
        last = self.kcat(node, "-C", "-t", self.topic, "-o", "-2", "-e", "-f", "%o %k\\n")
        equal([line.split()[0] for line in last.splitlines()], ["13", "14"], "the last two records")


def all_clients(install):
    """(name, function that makes the client or raises Missing)"""
    def python(name, script):
        return name, lambda: Client(name, [deps.python(), os.path.join(deps.HERE, "py", script)],
                                    rest=WITH[name])

    def javascript(name, script):
        def make():
            tool, folder = deps.node(install)
            return Client(name, [tool, os.path.join(folder, script)], rest=WITH[name])
        return name, make
    return [
        ("kcat", lambda: Kcat(deps.kcat(install))),
        ("librdkafka", lambda: Client("librdkafka", [deps.c(install)], rest=WITH["librdkafka"])),
        ("java", lambda: Client("java", ["java", "-XX:TieredStopAtLevel=1", "-Xmx256M",
                                         f"-Dlog4j2.configurationFile={deps.HERE}/kafka/log4j2.yaml", "-cp",
                                         deps.java(install), "Client"], rest=WITH["java"])),
        ("franz-go", lambda: Client("franz-go", [deps.go(install), "franz"], rest=WITH["franz-go"])),
        ("sarama", lambda: Client("sarama", [deps.go(install), "sarama"], rest=WITH["sarama"])),
        python("kafka-python", "kafka_python_client.py"),
        python("aiokafka", "aiokafka_client.py"),
        python("confluent-kafka", "confluent_client.py"),
        javascript("kafkajs", "kafkajs.mjs"),
        javascript("@platformatic/kafka", "platformatic.mjs"),
    ]


WITH = {
    "librdkafka": [*ADMIN, *OFFSETS],
    "java": [*ADMIN, *OFFSETS, "log-dirs", "features", "producers", "tombstones"],
    "franz-go": [*ADMIN, *OFFSETS, "log-dirs", "api-versions"],
    "sarama": [*ADMIN, "delete-records", "log-dirs"],
    "kafka-python": [*ADMIN, *OFFSETS, "log-dirs"],
    "aiokafka": ["describe-cluster", "describe-topic", "configs", "groups", "list-offsets", "delete-records",
                 "create-partitions", "delete-topic"],
    "confluent-kafka": [*ADMIN, *OFFSETS],
    "kafkajs": [*ADMIN, *OFFSETS],
    "@platformatic/kafka": [*ADMIN, *OFFSETS, "log-dirs"],
}


def begin(client, node):
    client.first_phase(node) if isinstance(client, Kcat) else first(client, node)


def end(client, node):
    client.rest_phase(node) if isinstance(client, Kcat) else rest(client, node)


def run_clients(suite, node, install):
    """All clients' first phase, then the node ends by SIGTERM, starts, is killed, starts; then the rest."""
    made = {}

    def start(name, make):
        def test():
            client = made[name] = make()
            begin(client, node)
        return f"client {name}: creates, produces with every codec, reads half, commits", test

    def go_on(name):
        def test():
            end(made[name], node)
        return f"client {name}: goes on from its commit after a restart, admin calls", test

    names = [(name, make) for name, make in all_clients(install) if suite.wants(f"client {name}:")]
    if not names:
        return
    suite.run_all([start(name, make) for name, make in names], at_once=3)

    def again():
        seconds, status = node.stop()
        equal(status in (0, 143), True, f"SIGTERM ended it with {status}")
        took = node.start()
        node.kill()
        after_kill = node.start()
        if node.name == "moldau":
            check(seconds < 5, f"SIGTERM took {seconds:.2f} s")
        return f"ended in {seconds:.2f} s, ready in {took:.2f} s, after kill -9 in {after_kill:.2f} s"
    if any(name in made for name, _ in names):
        suite.run("client node: ends on SIGTERM, starts again, also after kill -9", again)
        suite.run_all([go_on(name) for name, _ in names if name in made], at_once=3)
