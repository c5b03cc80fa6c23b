"""A broker that joins a cluster with partitions gets its share of them by itself, while a producer goes on."""

import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/client"))
from harness import node as nodes  # noqa: E402
from harness.suite import check, equal  # noqa: E402

from cluster import Broker, Cluster  # noqa: E402
from test_dev import until  # noqa: E402
from test_quorum import Commands  # noqa: E402


def add_a_broker(folder, binaries):
    cluster = Cluster(folder, binaries, brokers=2, controllers=1)
    cluster.start()
    commands = Commands(binaries, cluster.bootstrap)
    commands.run("topic", "create", "t", "-p", "12", "-r", "2")
    commands.run("produce", "t", lines="".join(f"{n}\n" for n in range(5000)))

    def replicas():
        listed = json.loads(commands.run("partition", "list", "t", "--json"))
        check(all(len(each["in_sync"]) >= 2 for each in listed), f"less than two in sync: {listed}")
        return [broker for each in listed for broker in each["replicas"]]

    voters = cluster.brokers[0].settings["controller.quorum.voters"]
    added = Broker(os.path.join(folder, "broker-3"), os.path.join(binaries, "moldau-broker"), 3, voters, {})
    cluster.brokers.append(added)
    added.start()
    producer = subprocess.Popen([commands.program, "produce", "t", "--brokers", cluster.bootstrap],
                                stdin=subprocess.PIPE, text=True)

    def done():
        producer.stdin.write("more\n" * 100)
        producer.stdin.flush()
        status = json.loads(commands.run("balance", "status", "--json"))
        return status["balanced"] and replicas().count(3) == 8

    until("the new broker has its share", 60, done)
    producer.stdin.close()
    equal(producer.wait(30), 0, "the producer's end")
    equal(sorted(replicas()), [1] * 8 + [2] * 8 + [3] * 8, "replicas")
    leaders = [each["leader"] for each in json.loads(commands.run("partition", "list", "t", "--json"))]
    check(3 in leaders, f"the new broker leads nothing: {leaders}")
    bad = [each for each in cluster.stop() if each[2] != 0]
    equal(bad, [], "members that did not end well")


def run_balance(suite, binaries):
    with tempfile.TemporaryDirectory(prefix="moldau-balance-") as folder:
        suite.run("balance: a broker that is added gets its share",
                  lambda: add_a_broker(folder, os.path.abspath(binaries)))
    nodes.end_all()
