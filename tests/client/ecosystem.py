"""What stands on Kafka, unchanged: a Kafka Streams application with exactly-once that is killed, Connect's distributed
worker with its file connectors, and MirrorMaker 2 between two nodes."""

import collections
import json
import os
import subprocess
import time
import urllib.error
import urllib.request

from harness import deps, node as nodes
from harness.proc import run
from harness.suite import check, equal
from harness.wire import Connection, create_topic

PEOPLE, ORDERS = 12, 3000
START_MS = int(time.time() * 1000)  # what is old goes by retention


def until(what, within, question, alive=()):
    """Asks until the answer is true; returns it. The processes have to live meanwhile."""
    began = time.monotonic()
    while True:
        answer = question()
        if answer:
            return answer
        for process in alive:
            check(process.poll() is None, f"{what}: a process ended with {process.returncode}")
        check(time.monotonic() - began < within, f"{what}: not within {within} s")
        time.sleep(0.2)


class Program:
    """A Java program in the background with its output in a file."""

    def __init__(self, folder, name, class_path, main, *arguments):
        self.path = os.path.join(folder, name + ".log")
        self.command = ["java", "-Xmx384M", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
                        f"-Dlog4j2.configurationFile={deps.HERE}/kafka/log4j2.yaml", "-cp", class_path, main,
                        *map(str, arguments)]
        self.process = None

    def start(self):
        with open(self.path, "a") as out:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            start_new_session=True)
        nodes.STARTED.append(self.process)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def said(self):
        with open(self.path, errors="replace") as file:
            return file.read()


def feed(node, *arguments, **options):
    return run([deps.python(), os.path.join(deps.HERE, "py/feed.py"), node.bootstrap, *arguments], **options).out


def lines_of(node, topic):
    return [tuple(line.split("\t")) for line in feed(node, "read", topic).splitlines()]


def model():
    """(joined records as a multiset, the last count of each person and window)"""
    joined, counts = collections.Counter(), collections.Counter()
    for i in range(ORDERS):
        who = i % PEOPLE
        joined[f"person-{who}", f"order-{i}@town-{who % 7}"] += 1
        counts[f"person-{who}/{(START_MS + 37 * (i + 1)) // 1000 * 1000}"] += 1
    return joined, {key: str(count) for key, count in counts.items()}


def streams(node, install, folder, disturb, replicas=1):
    """The application is killed and started again while orders come; what it wrote equals the model, to the record."""
    prefix = "streams"
    class_path = deps.streams(install)
    with Connection(node) as c:
        for topic in ("people", "orders", "joined", "counts"):
            equal(create_topic(c, f"{prefix}.{topic}", 3, replicas=replicas), 0, f"creating {topic}")
    feed(node, "people", prefix, PEOPLE, START_MS)
    app = Program(folder, "streams", class_path, "Purchases", node.bootstrap, prefix, os.path.join(folder, "state"))
    app.start()
    until("RUNNING", 40, lambda: "state\tRUNNING" in app.said(), [app.process])
    feeder = subprocess.Popen([deps.python(), os.path.join(deps.HERE, "py/feed.py"), node.bootstrap, "orders", prefix,
                               str(PEOPLE), str(START_MS), str(ORDERS), "8"], stdin=subprocess.DEVNULL, start_new_session=True)
    nodes.STARTED.append(feeder)
    time.sleep(2.5)
    app.process.kill()
    app.process.wait()
    before = len(lines_of(node, prefix + ".joined"))
    disturb()
    app.start()
    equal(feeder.wait(60), 0, "the feeder's status")
    want_joined, want_counts = model()
    began = time.monotonic()
    until("all orders joined", 60, lambda: len(lines_of(node, prefix + ".joined")) >= ORDERS, [app.process])
    took = time.monotonic() - began
    until("all orders counted", 20, lambda: dict(lines_of(node, prefix + ".counts")) == want_counts, [app.process])
    app.stop()
    got = collections.Counter(lines_of(node, prefix + ".joined"))
    check(got == want_joined, f"joined: lost {list((want_joined - got).items())[:5]}, doubled {list((got - want_joined).items())[:5]}")
    equal(dict(lines_of(node, prefix + ".counts")), want_counts, "counts")
    check(0 < before < ORDERS, f"{before} of {ORDERS} were joined when it was killed")
    return f"killed after {before} of {ORDERS}, all there {took:.1f} s after the last"


def properties(folder, name, pairs):
    path = os.path.join(folder, name)
    with open(path, "w") as file:
        file.writelines(f"{key}={value}\n" for key, value in pairs.items())
    return path


class Worker(Program):
    """One worker of a Connect cluster, with exactly-once sources."""

    def __init__(self, node, folder, name, lib):
        self.port = nodes.free_port()
        path = properties(folder, name + ".properties", {
            "bootstrap.servers": node.bootstrap, "group.id": "connect", "listeners": f"http://127.0.0.1:{self.port}",
            "config.storage.topic": "connect-configs", "offset.storage.topic": "connect-offsets",
            "status.storage.topic": "connect-status", "config.storage.replication.factor": 1,
            "offset.storage.replication.factor": 1, "status.storage.replication.factor": 1, "offset.storage.partitions": 5,
            "exactly.once.source.support": "enabled", "offset.flush.interval.ms": 500,
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.storage.StringConverter",
            "plugin.discovery": "service_load", "consumer.session.timeout.ms": 6000, "session.timeout.ms": 6000,
            "heartbeat.interval.ms": 2000, "scheduled.rebalance.max.delay.ms": 0})
        super().__init__(folder, name, os.path.join(lib, "*"), "org.apache.kafka.connect.cli.ConnectDistributed", path)

    def ask(self, method, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method,
                                         data=json.dumps(body).encode() if body else None,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.loads(answer.read() or b"null")
        except (OSError, urllib.error.URLError):
            return None

    def runs(self, connector):
        status = self.ask("GET", f"/connectors/{connector}/status")
        return status and status["tasks"] and all(task["state"] == "RUNNING" for task in status["tasks"])


def connect(node, install, folder):
    """Lines of a file go through a topic into another file, once each, though the worker is killed between."""
    source, sink = os.path.join(folder, "source.txt"), os.path.join(folder, "sink.txt")

    def write(start, end):
        with open(source, "a") as file:
            file.writelines(f"line {i}\n" for i in range(start, end))

    def arrived():
        if not os.path.exists(sink):
            return []
        with open(sink) as file:
            return file.read().splitlines()
    worker = Worker(node, folder, "connect", deps.ecosystem_lib(install))
    write(0, 200)
    worker.start()
    until("the worker", 60, lambda: worker.ask("GET", "/connectors") == [], [worker.process])
    for name, config in (
            ("lines-in", {"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "file": source,
                          "topic": "connect-lines", "exactly.once.support": "required", "tasks.max": "1"}),
            ("lines-out", {"connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "file": sink,
                           "topics": "connect-lines", "tasks.max": "1", "consumer.override.isolation.level": "read_committed"})):
        until(f"making {name}", 30, lambda c=config, n=name: worker.ask("PUT", f"/connectors/{n}/config", c), [worker.process])
    until("200 lines", 60, lambda: len(arrived()) >= 200, [worker.process])
    worker.process.kill()
    worker.process.wait()
    write(200, 300)
    worker.start()
    until("300 lines", 60, lambda: "line 299" in arrived(), [worker.process])
    worker.stop()
    values = [value for _, value in lines_of(node, "connect-lines")]
    check(values == [f"line {i}" for i in range(300)], f"{len(values)} lines in the topic, from {values[:3]} to {values[-3:]}")
    # The sink is at least once: lines before its last commit may be there twice.
    check(list(dict.fromkeys(arrived())) == values, f"{len(arrived())} lines in the file")


def mirror(source, target, install, folder):  # either may be Apache Kafka
    """A topic, its records and a group's offsets appear in the other node, and what comes later follows."""
    with Connection(source) as c:
        for topic in ("people", "orders"):
            equal(create_topic(c, f"mirrored.{topic}", 3, {"retention.ms": "3600000"}), 0, "creating the topic")
    feed(source, "orders", "mirrored", "5", START_MS, "500", "0")
    group = "mirror-group"
    feed(source, "commit", "mirrored.orders", group)
    path = properties(folder, "mm2.properties", {
        "clusters": "a,b", "a.bootstrap.servers": source.bootstrap, "b.bootstrap.servers": target.bootstrap,
        "a->b.enabled": "true", "b->a.enabled": "false",
        "b->a.emit.heartbeats.enabled": "false", "a->b.topics": r"mirrored\\..*", "a->b.groups": "mirror-.*",
        "replication.factor": 1, "checkpoints.topic.replication.factor": 1, "heartbeats.topic.replication.factor": 1,
        "offset-syncs.topic.replication.factor": 1, "offset.storage.replication.factor": 1,
        "status.storage.replication.factor": 1, "config.storage.replication.factor": 1, "tasks.max": 2,
        "refresh.topics.interval.seconds": 2, "refresh.groups.interval.seconds": 2, "sync.group.offsets.enabled": "true",
        "sync.group.offsets.interval.seconds": 1, "emit.checkpoints.interval.seconds": 1, "offset.lag.max": 0,
        "b.exactly.once.source.support": "enabled", "dedicated.mode.enable.internal.rest": "true", "plugin.discovery": "service_load",
        "listeners": f"http://127.0.0.1:{nodes.free_port()}"})
    maker = Program(folder, "mirror", os.path.join(deps.ecosystem_lib(install), "*"),
                    "org.apache.kafka.connect.mirror.MirrorMaker", path)
    maker.start()

    def passed(node, topic):
        return [tuple(line.split("\t")) for line in feed(node, "passed", topic, group).splitlines()]

    def all_begun(lines):
        counts = [int(count) for _, count in lines]
        return counts if all(counts) else None

    def mirrored():
        try:
            return sorted(lines_of(target, "a.mirrored.orders"))
        except AssertionError:
            return []  # no such topic yet
    until("500 records", 150, lambda: len(mirrored()) >= 500, [maker.process])
    feed(source, "orders", "mirrored", "5", START_MS, "100", "0")
    until("600 records", 60, lambda: len(mirrored()) >= 600, [maker.process])
    got, want = collections.Counter(mirrored()), collections.Counter(lines_of(source, "mirrored.orders"))
    check(got == want, f"lost {list((want - got).items())[:5]}, doubled {list((got - want).items())[:5]}")
    # MirrorMaker's translation is on the safe side: behind the group there is no record that it had not read.
    read = [int(count) for _, count in passed(source, "mirrored.orders")]
    there = until("the group's offsets", 60, lambda: all_begun(passed(target, "a.mirrored.orders")), [maker.process])
    check(all(here <= most for here, most in zip(there, read)), f"the group has passed {there}, not {read}")
    maker.stop()


def run_ecosystem(suite, context):
    def new_nodes(count):
        made = [context.new_node() for _ in range(count)]
        for node in made:
            node.start()
        return made

    def with_nodes(name, count, test):
        def alone():
            made = new_nodes(count)
            try:
                return test(*made)
            finally:
                for node in made:
                    node.stop()
        return name, alone
    def from_kafka():
        if not context.install:
            raise deps.Missing("with --install only: it takes a minute and a node of Apache Kafka")
        kafka, (ours,) = context.new_kafka(), new_nodes(1)
        kafka.start()
        try:
            return mirror(kafka, ours, install, ours.folder)
        finally:
            kafka.stop()
            ours.stop()
    install = context.install
    suite.run_all([
        with_nodes("ecosystem: Kafka Streams, exactly once, killed", 1, lambda node: streams(node, install, node.folder, lambda: None)),
        with_nodes("ecosystem: Connect with file source and sink, killed", 1, lambda node: connect(node, install, node.folder)),
        with_nodes("ecosystem: MirrorMaker 2 between two nodes", 2, lambda a, b: mirror(a, b, install, a.folder)),
        ("ecosystem: MirrorMaker 2 from Apache Kafka", from_kafka),
    ], at_once=2)
    name = "ecosystem of a cluster: Kafka Streams, exactly once, killed with a broker"
    if context.against == "kafka" or not suite.wants(name):
        return

    def on_cluster():
        cluster = context.new_cluster()
        cluster.start()

        def disturb():
            cluster.dev("kill", 2)
            cluster.dev("restart", 2)
        try:
            return streams(cluster, install, cluster.folder, disturb, replicas=3)
        finally:
            cluster.stop()
    suite.run(name, on_cluster)
