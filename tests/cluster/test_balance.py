"""A broker that joins a cluster with partitions gets its share of them by itself, while a producer goes on; bytes are
evened out too; and what moves says when it will be done."""

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


def written(commands, partition, megabytes):
    lines = f"{'x' * 99_999}\n" * (megabytes * 10)
    commands.run("produce", "t", "-p", str(partition), "--acks", "all", lines=lines)


def on_disk(broker):
    return sum(os.path.getsize(os.path.join(where, file)) for where, _, files in os.walk(broker.logs) for file in files
               if file.endswith(".log") and not where.endswith("-delete"))


def even_out_bytes(folder, binaries):
    cluster = Cluster(folder, binaries, brokers=2, controllers=1)
    cluster.start()
    commands = Commands(binaries, cluster.bootstrap)
    commands.run("topic", "create", "t", "-p", "4", "-r", "1")

    def homes():
        return [each["replicas"] for each in json.loads(commands.run("partition", "list", "t", "--json"))]

    large = [number for number, home in enumerate(homes()) if home == [1]]
    equal(len(large), 2, f"partitions on broker 1 of {homes()}")
    for number in large:
        written(commands, number, 50)
    check(on_disk(cluster.broker(1)) > 95e6 > 5e6 > on_disk(cluster.broker(2)), "all is on broker 1")

    def planned():
        seen = json.loads(commands.run("balance", "status", "--json"))
        return len(seen["moves_planned"]) == 2 and 45e6 < seen["copying"]["bytes_left"] < 55e6

    until("one of the large ones is to move, for a small one", 30, planned)
    commands.run("balance", "start")
    after = homes()
    equal((sorted(after), sorted(after[number] for number in large)), ([[1], [1], [2], [2]], [[1], [2]]), "homes")
    status = json.loads(commands.run("balance", "status", "--json"))
    check(status["balanced"] and status["copying"]["bytes_left"] == 0, f"{status}")
    until("each has its half on its disk", 60, lambda: all(45e6 < on_disk(each) < 55e6 for each in cluster.brokers))
    equal([each for each in cluster.stop() if each[2] != 0], [], "members that did not end well")


def tell_the_end(folder, binaries):
    rate, size = 3_000_000, 60_000_000
    cluster = Cluster(folder, binaries, brokers=3, controllers=1)
    cluster.start()
    commands = Commands(binaries, cluster.bootstrap)
    sides = [f"{side}.replication.throttled" for side in ("leader", "follower")]
    commands.run("topic", "create", "t", "-p", "1", "-r", "2", *(word for side in sides for word in ("-c", f"{side}.replicas=*")))
    written(commands, 0, size // 1_000_000)
    for broker in ("1", "2", "3"):
        commands.run("config", "set", "broker", broker, *(f"{side}.rate={rate}" for side in sides))
    leaving = str(json.loads(commands.run("partition", "list", "t", "--json"))[0]["replicas"][1])

    def estimate():
        reply = json.loads(commands.run("broker", "drain", leaving, "--no-wait", "--json"))
        copying = reply["copying"]
        check(not reply["drained"], f"the throttle does not hold: {reply}")
        good = copying and copying["bytes_left"] < 0.9 * size and rate / 3 < copying["bytes_per_second"] < 3 * rate
        return copying if good else None

    seen = until("an estimate", 60, estimate)
    equal(seen["seconds_left"], -(-seen["bytes_left"] // seen["bytes_per_second"]), f"seconds: {seen}")
    said = commands.run("balance", "status")
    check(" left, about " in said and said.startswith("not balanced: 1 move under way"), said)
    for broker in ("1", "2", "3"):
        commands.run("config", "delete", "broker", broker, *(f"{side}.rate" for side in sides))
    commands.run("broker", "drain", leaving)
    reply = json.loads(commands.run("broker", "drain", leaving, "--no-wait", "--json"))
    equal((reply["drained"], reply["copying"]["bytes_left"]), (True, 0), f"{reply}")
    equal([each for each in cluster.stop() if each[2] != 0], [], "members that did not end well")
    return f"told {seen['seconds_left']} s for {seen['bytes_left'] // 1_000_000} MB"


def run_balance(suite, binaries):
    with tempfile.TemporaryDirectory(prefix="moldau-balance-") as folder:
        suite.run("balance: bytes are evened out last",
                  lambda: even_out_bytes(folder, os.path.abspath(binaries)))
    with tempfile.TemporaryDirectory(prefix="moldau-balance-") as folder:
        suite.run("balance: a drain tells when it will be done",
                  lambda: tell_the_end(folder, os.path.abspath(binaries)))
    with tempfile.TemporaryDirectory(prefix="moldau-balance-") as folder:
        suite.run("balance: a broker that is added gets its share",
                  lambda: add_a_broker(folder, os.path.abspath(binaries)))
    nodes.end_all()
