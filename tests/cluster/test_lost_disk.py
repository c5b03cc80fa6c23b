"""The last replica in sync comes back with an empty disk. It must not lead: the others would throw away what they still
have, to be like it."""

import json
import os
import shutil
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/client"))
from harness import node as nodes  # noqa: E402
from harness.suite import check, equal  # noqa: E402

from cluster import Cluster  # noqa: E402
from test_dev import until  # noqa: E402
from test_quorum import Commands  # noqa: E402


def lose_the_last_disk(folder, binaries):
    cluster = Cluster(folder, binaries, brokers=3, controllers=1)
    cluster.start()
    commands = Commands(binaries, cluster.bootstrap)
    commands.run("topic", "create", "t", "-p", "1", "-r", "3", "--config", "min.insync.replicas=1")
    early = [f"early {n}" for n in range(100)]
    commands.run("produce", "t", lines="\n".join(early) + "\n")

    def partition():
        return json.loads(commands.run("partition", "list", "t", "--json"))[0]

    last = cluster.broker(partition()["leader"])
    others = [each for each in cluster.brokers if each is not last]
    for each in others:
        equal(each.stop()[1], 0, f"the end of {each.name}")
    until("one replica in sync", 20, lambda: partition()["in_sync"] == [last.id])
    commands.run("produce", "t", lines="late\n")
    last.kill()
    shutil.rmtree(last.data)
    for each in cluster.brokers:
        each.start()

    seen = partition()
    equal((seen["leader"], seen["in_sync"]), (None, []), "who leads and is in sync after the disk is lost")
    health = " ".join(commands.run("cluster", "health", code=None).split())
    check("another disk" in health, f"the health does not tell of the lost disk: {health}")

    commands.run("partition", "elect", "t", "--unclean", "--yes")
    until("a replica with records leads", 20, lambda: partition()["leader"] in {each.id for each in others})
    equal(commands.run("consume", "t", "--exit-at-end").splitlines(), early, "records that two disks kept")
    until("all in sync", 30, lambda: len(partition()["in_sync"]) == 3)
    bad = [each for each in cluster.stop() if each[2] != 0]
    equal(bad, [], "members that did not end well")


def run_lost_disk(suite, binaries):
    with tempfile.TemporaryDirectory(prefix="moldau-lost-disk-") as folder:
        suite.run("lost disk: who comes back empty leads nobody",
                  lambda: lose_the_last_disk(folder, os.path.abspath(binaries)))
    nodes.end_all()
