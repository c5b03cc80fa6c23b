"""Consumers read from a replica in their own rack (KIP-392): librdkafka is sent there by the leader, reads all of it,
also what is produced later, and goes back to the leader when that replica dies."""

import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/client"))
from harness import deps, node as nodes  # noqa: E402
from harness.suite import check, equal  # noqa: E402

from cluster import Cluster  # noqa: E402
from test_quorum import Commands  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
SELECTOR = "org.apache.kafka.common.replica.RackAwareReplicaSelector"
SIZE = 1000


def begin_reading(cluster, topic, rack, count):
    return subprocess.Popen([deps.python(), os.path.join(HERE, "rack_reader.py"), cluster.bootstrap, topic, rack,
                             str(count)], stdout=subprocess.PIPE, text=True)


def lines_of(reader, count):
    """The next lines; the reader ends by itself after half a minute without."""
    return [reader.stdout.readline().rstrip("\n") for _ in range(count)]


def read_nearby(folder, binaries):
    cluster = Cluster(folder, binaries, brokers=3, controllers=1, settings={"replica.selector.class": SELECTOR})
    for broker in cluster.brokers:
        broker.settings["broker.rack"] = f"rack-{broker.id}"
    cluster.start()
    commands = Commands(binaries, cluster.bootstrap)
    commands.run("topic", "create", "t", "-p", "1", "-r", "3")
    values = [f"{n:04} ".ljust(SIZE, "x") for n in range(500)]
    commands.run("produce", "t", lines="\n".join(values) + "\n")
    partition = json.loads(commands.run("partition", "list", "t", "--json"))[0]
    leader = cluster.broker(partition["leader"])
    near = next(each for each in cluster.brokers if each is not leader)

    def sent(broker):
        return broker.metric("moldau_fetched_bytes_total")

    before = {each.id: sent(each) for each in cluster.brokers}
    total = SIZE * len(values)
    reader = begin_reading(cluster, "t", f"rack-{near.id}", 2 * len(values))
    equal(lines_of(reader, len(values)), values, "what the reader got from its rack")
    check(sent(near) - before[near.id] >= total, f"{near.name} did not serve the reader in its rack")
    check(sent(leader) - before[leader.id] < total, f"{leader.name} served a reader in another rack")

    local = begin_reading(cluster, "t", f"rack-{leader.id}", len(values))
    equal(lines_of(local, len(values)), values, "what a reader got from the leader's rack")
    check(sent(leader) - before[leader.id] >= total, f"{leader.name} did not serve the reader in its rack")

    near.kill()
    commands.run("produce", "t", lines="\n".join(values) + "\n")
    equal(lines_of(reader, len(values)), values, "what the reader got after the replica in its rack died")
    equal([each.wait(30) for each in (reader, local)], [0, 0], "how the readers ended")
    near.start()
    bad = [each for each in cluster.stop() if each[2] != 0]
    equal(bad, [], "members that did not end well")


def run_racks(suite, binaries):
    with tempfile.TemporaryDirectory(prefix="moldau-racks-") as folder:
        suite.run("racks: a consumer reads from the replica in its rack",
                  lambda: read_nearby(folder, os.path.abspath(binaries)))
    nodes.end_all()
