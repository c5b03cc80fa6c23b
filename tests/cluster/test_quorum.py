"""The quorum changes while it serves: one controller becomes three, the founder leaves, three become one again. The
brokers follow, although their configuration names only the founder."""

import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/client"))
from harness import node as nodes  # noqa: E402
from harness.suite import check, equal  # noqa: E402

from cluster import Cluster, Controller  # noqa: E402
from test_dev import until  # noqa: E402


class Commands:
    def __init__(self, binaries, bootstrap):
        self.program, self.bootstrap = os.path.join(binaries, "moldau"), bootstrap

    def run(self, *words, code=0, lines=""):
        result = subprocess.run([self.program, *words, "--brokers", self.bootstrap], input=lines,
                                capture_output=True, text=True, timeout=60)
        if code is not None:
            equal(result.returncode, code, f"moldau {' '.join(words)}: {result.stdout}{result.stderr}")
        return result.stdout + result.stderr

    def quorum(self):
        return json.loads(self.run("quorum", "status", "--json"))

    def voters(self):
        return sorted(each["id"] for each in self.quorum()["members"]
                      if each["role"] == "controller" and each["state"] != "joining")

    def remove(self, number):
        """A leader hands over first: then the next one is asked."""
        until(f"controller {number} removed", 20, lambda: "VOTER" in self.run(
            "quorum", "remove", str(number), "--yes", code=None) or number not in self.voters())


def grow_and_shrink(folder, binaries):
    cluster = Cluster(folder, binaries, brokers=2, controllers=1)
    cluster.start()
    commands = Commands(binaries, cluster.bootstrap)
    commands.run("topic", "create", "first", "-p", "3", "-r", "2")
    equal(commands.voters(), [1], "voters of a new cluster")

    founder = cluster.controllers[0]
    added = []
    for number in (2, 3):
        port = nodes.free_port()
        each = Controller(os.path.join(folder, f"controller-{number}"), os.path.join(binaries, "moldau-controller"),
                          number, port, founder.settings["controller.quorum.voters"])
        each.launch()
        until(f"controller {number} votes", 20, lambda number=number, port=port: "votes" in commands.run(
            "quorum", "add", str(number), f"127.0.0.1:{port}", code=None))
        each.await_ready()
        added.append(each)
    equal(commands.voters(), [1, 2, 3], "voters after two were added")
    cluster.controllers += added

    # The brokers ask who votes once a second; they were told of nobody but the founder.
    until("the brokers know the new controllers", 20,
          lambda: all(broker.metric("moldau_controllers_known") == 3 for broker in cluster.brokers))
    founder.kill()
    commands.run("topic", "create", "second", "-p", "3", "-r", "2")
    check(commands.quorum()["leader"] in (2, 3), "one of the new ones leads")

    # It comes back, finds itself a voter still, and is let go.
    founder.start()
    commands.remove(1)
    equal(commands.voters(), [2, 3], "voters without the founder")
    equal(founder.stop()[1], 0, "the founder's end")
    cluster.controllers.remove(founder)
    commands.run("topic", "create", "third", "-p", "3", "-r", "2")
    commands.remove(3)
    equal(commands.voters(), [2], "the last voter")
    commands.run("quorum", "remove", "2", "--yes", code=1)
    commands.run("topic", "create", "fourth")
    listed = commands.run("topic", "list")
    for topic in ("first", "second", "third", "fourth"):
        check(topic in listed, f"{topic} is gone: {listed}")
    bad = [each for each in cluster.stop() if each[2] != 0]
    equal(bad, [], "members that did not end well")


def run_quorum(suite, binaries):
    with tempfile.TemporaryDirectory(prefix="moldau-quorum-") as folder:
        suite.run("quorum: from one controller to three, without the founder, and back to one",
                  lambda: grow_and_shrink(folder, os.path.abspath(binaries)))
    nodes.end_all()
