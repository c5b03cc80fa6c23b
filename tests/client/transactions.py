"""Transactions: the transactional producers of every client that has them, in both versions of the protocol, on one
node and on a cluster whose brokers are killed meanwhile; and Kafka's tool for what producers leave behind.

A program is called as `PROGRAM BOOTSTRAP PREFIX` and prints `done STEP` for each of its steps; topics PREFIX.in and
PREFIX.out have one partition and exist."""

import os
import re
import threading
import time

import tools as kafka_tools
from harness import deps
from harness.proc import run
from harness.suite import check, equal
from harness.wire import Connection, create_topic

STEPS = ["commit and abort", "fence", "offsets", "read_committed"]
SETTINGS = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "500"}


def java(install):
    return ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256M",
            f"-Dlog4j2.configurationFile={deps.HERE}/kafka/log4j2.yaml", "-cp", deps.java(install), "Transactions"]


def programs(install):
    """(name, function that gives the command or raises Missing, its steps)"""
    def python(script):
        return lambda: [deps.python(), os.path.join(deps.HERE, "py", script)]

    def javascript(script):
        def make():
            tool, folder = deps.node(install)
            return [tool, os.path.join(folder, script)]
        return make
    return [
        ("java", lambda: java(install), [*STEPS, "timeout"]),
        ("confluent-kafka", python("confluent_txn.py"), STEPS),
        ("franz-go", lambda: [deps.go(install), "franz", "transactions"], STEPS),
        ("sarama", lambda: [deps.go(install), "sarama", "transactions"], STEPS),
        ("kafka-python", python("kafka_python_txn.py"), STEPS),
        ("aiokafka", python("aiokafka_txn.py"), STEPS),
        ("kafkajs", javascript("kafkajs_txn.mjs"), STEPS),
        ("@platformatic/kafka", javascript("platformatic_txn.mjs"), [step for step in STEPS if step != "fence"]),
    ]


def prefix_of(name, version):
    return f"txn{version}." + name.replace("@", "").replace("/", "-")


def make_topics(node, prefix, replicas=1):
    with Connection(node) as c:
        for topic in (prefix + ".in", prefix + ".out"):
            equal(create_topic(c, topic, replicas=replicas), 0, f"creating {topic}")


def goes_through(node, name, make, steps, version, replicas=1):
    command = make()
    make_topics(node, prefix_of(name, version), replicas)
    go_through(node, command, prefix_of(name, version), steps)


def go_through(node, command, prefix, steps):
    result = run([*command, node.bootstrap, prefix], timeout=120)
    done = [line.split("\t")[1] for line in result.out.splitlines() if line.startswith("done\t")]
    equal(sorted(done), sorted(steps), "what the client did")


def tool(tools, install):
    """kafka-transactions sees what is open, finds nothing hanging, and ends by hand what a producer left."""
    listed = tools.out("kafka-transactions", "list")
    check(re.search(r"txn2\.java\.one\s+\d+\s+\d+\s+Complete(Commit|Abort)", listed), listed)
    out = "txn2.java.out"
    run([*java(install), tools.bootstrap, "txn2.java", "leave"])
    described = tools.out("kafka-transactions", "describe", "--transactional-id", "txn2.java.left")
    check("Ongoing" in described and out + "-0" in described, described)
    open_ones = tools.out("kafka-transactions", "list", "--state", "Ongoing") if "--state" in listed else listed
    check(open_ones, "an answer")

    def starts():
        text = tools.out("kafka-transactions", "describe-producers", "--topic", out, "--partition", "0")
        lines = [line.split() for line in text.splitlines()[1:] if line.strip()]
        return [line[-1] for line in lines if line[-1] != "None"]
    equal(len(starts()), 1, "open transactions in the partition")
    hanging = tools.out("kafka-transactions", "find-hanging", "--broker-id", "1")
    check(out not in hanging, hanging)
    tools.out("kafka-transactions", "abort", "--topic", out, "--partition", "0", "--start-offset", starts()[0])
    equal(starts(), [], "open transactions after the abort")


def set_version(tools, version):
    way = "downgrade" if version == 1 else "upgrade"
    tools.out("kafka-features", way, "--feature", f"transaction.version={version}")
    described = tools.out("kafka-features", "describe")
    check(re.search(rf"Feature: transaction.version\s.*FinalizedVersionLevel: {version}\b", described), described)


def under_kills(cluster, install):
    """The Java and the confluent-kafka program, while brokers are killed and come back one after the other."""
    stop = threading.Event()
    kills = []
    work = [(make(), prefix_of(name, f"-kills{i}"), steps) for i in range(2) for name, make, steps in programs(install)[:2]]
    for _, prefix, _ in work:
        make_topics(cluster, prefix, replicas=3)

    def killer():
        while not stop.is_set():
            number = len(kills) % 3 + 1
            cluster.dev("kill", number)
            kills.append(number)
            stop.wait(1.5)
            cluster.dev("restart", number)
            stop.wait(1.5)
    thread = threading.Thread(target=killer)
    thread.start()
    began = time.monotonic()
    try:
        for command, prefix, steps in work:
            go_through(cluster, command, prefix, steps)
    finally:
        stop.set()
        thread.join(60)
    return f"{len(kills)} kills in {time.monotonic() - began:.0f} s"


def run_transactions(suite, context):
    run_on_node(suite, context)
    if context.against != "kafka":
        run_on_cluster(suite, context)


def all_of(kind, install, test):
    return [(f"{kind}: {name}", lambda a=(name, make, steps): test(*a)) for name, make, steps in programs(install)]


def run_on_node(suite, context):
    kafka_tool, downgrade = "transactions: kafka-transactions", "transactions: back to transaction.version=1"
    node = context.new_node(SETTINGS)
    tests = all_of("transactions", context.install, lambda *a: goes_through(node, *a, version=2))
    old_tests = all_of("transactions 1", context.install, lambda *a: goes_through(node, *a, version=1))[:3]
    if not any(suite.wants(name) for name in [kafka_tool, downgrade, *dict(tests), *dict(old_tests)]):
        return
    node.start()

    def tools():
        return kafka_tools.Tools(deps.kafka_lib(context.install), node.bootstrap, context.folder)
    suite.run_all(tests, at_once=3)
    suite.run(kafka_tool, lambda: tool(tools(), context.install))
    if suite.run(downgrade, lambda: set_version(tools(), 1)):
        suite.run_all(old_tests, at_once=3)
    node.stop()


def run_on_cluster(suite, context):
    kills = "transactions of a cluster: brokers die"
    cluster = context.new_cluster(SETTINGS)
    tests = all_of("transactions of a cluster", context.install, lambda *a: goes_through(cluster, *a, version=2, replicas=3))
    if not any(suite.wants(name) for name in [kills, *dict(tests)]):
        return
    cluster.start()
    suite.run_all(tests, at_once=3)
    suite.run(kills, lambda: under_kills(cluster, context.install))
    cluster.stop()
