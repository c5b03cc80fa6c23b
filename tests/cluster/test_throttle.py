"""A partition moves under a throttle as Kafka's tool sets it (KIP-73), and the tool takes the throttle away; meanwhile
producers with acks=all to replicas in sync are not held back."""

import json
import os
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/client"))
from harness import node as nodes  # noqa: E402
from harness.suite import check, equal  # noqa: E402

from cluster import Cluster  # noqa: E402
from test_dev import kafka_tool, until  # noqa: E402
from test_quorum import Commands  # noqa: E402

LINES, SIZE, RATE = 12_000, 1000, 2_000_000
TOOL = "reassign.ReassignPartitionsCommand"


class At:
    """A cluster as kafka_tool() wants it."""

    def __init__(self, cluster):
        self.bootstrap = lambda: cluster.bootstrap


def move_slowly(folder, binaries):
    cluster = Cluster(folder, binaries, brokers=3, controllers=1)
    cluster.start()
    commands = Commands(binaries, cluster.bootstrap)
    commands.run("topic", "create", "t", "-p", "1", "-r", "2", "-c", "min.insync.replicas=2")
    commands.run("produce", "t", lines="".join(f"{n:05} ".ljust(SIZE, "x") + "\n" for n in range(LINES)))

    def partition():
        return json.loads(commands.run("partition", "list", "t", "--json"))[0]

    first, second = partition()["replicas"]
    third = 6 - first - second
    plan = os.path.join(folder, "reassign.json")
    with open(plan, "w") as file:
        json.dump({"version": 1, "partitions": [{"topic": "t", "partition": 0, "replicas": [first, third]}]}, file)
    began = time.monotonic()
    told = kafka_tool(At(cluster), TOOL, "--reassignment-json-file", plan, "--execute", "--throttle", str(RATE))
    check(f"The inter-broker throttle limit was set to {RATE} B/s" in told, told)
    listed = commands.run("config", "get", "topic", "t", "--own")
    check(f"0:{third}" in listed and f"0:{first}" in listed, listed)

    slowest = 0.0
    while set(partition()["replicas"]) != {first, third} or len(partition()["in_sync"]) != 2:
        asked = time.monotonic()
        check(asked - began < 150, f"the move does not end: {partition()}")
        commands.run("produce", "t", "--acks", "all", lines="more\n")
        slowest = max(slowest, time.monotonic() - asked)
        time.sleep(0.2)
    took = time.monotonic() - began
    # One second's worth goes at once, and Kafka's tool needs its time.
    check(took > LINES * SIZE / RATE / 2, f"moved in {took:.1f} s: nothing was held back")
    for broker, side in ((first, "leader"), (third, "follower")):
        text = next(line for line in cluster.broker(broker).get("/metrics").splitlines()
                    if line.startswith("moldau_replication_throttled_bytes_total") and side in line)
        check(float(text.rsplit(" ", 1)[1]) >= LINES * SIZE, text)

    told = until("verified", 30, lambda: (lambda said: said if "is completed" in said else "")(
        kafka_tool(At(cluster), TOOL, "--reassignment-json-file", plan, "--verify")))
    check("Clearing broker-level throttles" in told and "Clearing topic-level throttles on topic t" in told, told)
    equal([line for line in commands.run("config", "get", "topic", "t", "--own").splitlines() if "throttled" in line and "0:" in line],
          [], "throttles left on the topic")
    bad = [each for each in cluster.stop() if each[2] != 0]
    equal(bad, [], "members that did not end well")
    return f"moved in {took:.1f} s, a produce meanwhile took at most {slowest:.1f} s"


def run_throttle(suite, binaries):
    with tempfile.TemporaryDirectory(prefix="moldau-throttle-") as folder:
        suite.run("throttle: a partition moves at the rate that is allowed",
                  lambda: move_slowly(folder, os.path.abspath(binaries)))
    nodes.end_all()
