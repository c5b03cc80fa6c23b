"""Replicas move between the log directories of a broker as Kafka's tools ask for it, under load and with a kill -9 in
the middle; the tools see the copies, and nothing is lost."""

import json
import os
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/client"))
from harness import node as nodes  # noqa: E402
from harness.suite import check, equal  # noqa: E402

from cluster import Cluster  # noqa: E402
from test_directories import OwnDisk  # noqa: E402
from test_dev import kafka_tool, until  # noqa: E402
from test_quorum import Commands  # noqa: E402
from test_throttle import TOOL, At  # noqa: E402

RATE = "replica.alter.log.dirs.io.max.bytes.per.second"


def held(directory, topic):
    """The partitions in a directory, as their folders tell."""
    names = [name for name in os.listdir(directory) if name.startswith(topic + "-")]
    return {int(name.rsplit("-", 1)[1]) for name in names if name.rsplit("-", 1)[1].isdigit()}


def futures(directory):
    return [name for name in os.listdir(directory) if name.endswith("-future")]


class Move:
    """All of broker 1's replicas, each into the directory where it is not."""

    def __init__(self, cluster, folder, dirs, topic):
        self.cluster, self.topic, self.dirs = cluster, topic, dirs
        self.plan = os.path.join(folder, "moves.json")
        self.commands = Commands(os.path.dirname(cluster.brokers[0].binary), cluster.bootstrap)
        self.begin = {directory: held(directory, topic) for directory in dirs}

    def write_plan(self):
        listed = json.loads(self.commands.run("partition", "list", self.topic, "--json"))
        other = {n: self.dirs[1 - i] for i, directory in enumerate(self.dirs) for n in self.begin[directory]}
        partitions = [{"topic": self.topic, "partition": each["partition"], "replicas": each["replicas"],
                       "log_dirs": [other[each["partition"]] if id_ == 1 else "any" for id_ in each["replicas"]]}
                      for each in listed]
        with open(self.plan, "w") as file:
            json.dump({"version": 1, "partitions": partitions}, file)
        return len(partitions)

    def tool(self, *words):
        return kafka_tool(At(self.cluster), TOOL, "--reassignment-json-file", self.plan, *words)

    def seen(self):
        """What kafka-log-dirs tells of broker 1: {directory: [partition]}."""
        out = kafka_tool(At(self.cluster), "LogDirsCommand", "--describe", "--broker-list", "1", "--topic-list", self.topic)
        report = json.loads(out[out.index("{"):].strip().splitlines()[0])
        return {each["logDir"]: each["partitions"] for each in report["brokers"][0]["logDirs"]}

    def shown(self):
        return [each for partitions in self.seen().values() for each in partitions]

    def is_over(self):
        now = {directory: held(directory, self.topic) for directory in self.dirs}
        return now == {self.dirs[0]: self.begin[self.dirs[1]], self.dirs[1]: self.begin[self.dirs[0]]} and not any(
            futures(directory) for directory in self.dirs)


def move_under_load(folder, binaries, members):
    cluster = Cluster(folder, binaries, brokers=3, controllers=1)
    first = cluster.broker(1)
    dirs = [os.path.join(folder, "one"), os.path.join(folder, "two")]
    first.settings["log.dirs"] = ",".join(dirs)
    cluster.start()
    members.create(cluster)
    writer = members.Writer(cluster)
    try:
        # More than a throttle lets through at once: a copy takes its time then.
        until("something to copy", 60, lambda: first.metric("moldau_log_size_bytes", f'topic="{members.TOPIC}"') > 200_000)
        move = Move(cluster, folder, dirs, members.TOPIC)
        count = move.write_plan()
        # So slow that it is under way when the broker is killed.
        told = move.tool("--execute", "--replica-alter-log-dirs-throttle", "1000", "--timeout", "30000")
        equal(told.count("Successfully started moving log directory"), count, told)
        until("a copy that kafka-log-dirs shows", 30, lambda: any(each["isFuture"] for each in move.shown()))
        seen = move.shown()
        equal(len([each for each in seen if not each["isFuture"]]), count, f"replicas that kafka-log-dirs shows: {seen}")
        first.kill()
        first.start()
        until("the moves go on after kill -9", 60, lambda: any(futures(directory) for directory in dirs) or move.is_over())
        move.commands.run("config", "set", "broker", "1", f"{RATE}=1000000000")
        until("every replica has moved", 90, move.is_over)
        first.kill()
        first.start()
        told = until("verified", 60, lambda: (lambda said: said if "still in progress" not in said else "")(
            move.tool("--verify")))
        check("does not" not in told and "cannot be found" not in told and "not in any" not in told, told)
        seen = move.seen()
        for directory in dirs:
            equal({int(each["partition"].rsplit("-", 1)[1]) for each in seen[directory] if not each["isFuture"]},
                  held(directory, members.TOPIC), f"what kafka-log-dirs shows in {directory}")
        check(move.is_over(), "a restart brought back what had moved")
    finally:
        acked = writer.end()
    until("all in sync", 60, lambda: members.in_sync(cluster, 3))
    there = members.check_all_there(cluster, acked)
    equal([each for each in cluster.stop() if each[2] != 0], [], "members that did not end well")
    return f"{there}; {count} replicas moved"


def change_ones_mind(folder, binaries, _members):
    """To a third directory, back, to a directory that is not there, and away with the topic; and a replica that comes
    later goes where it was told to."""
    cluster = Cluster(folder, binaries, brokers=2, controllers=1)
    first = cluster.broker(1)
    dirs = [os.path.join(folder, name) for name in ("one", "two", "three")]
    first.settings["log.dirs"] = ",".join(dirs)
    cluster.start()
    commands = Commands(binaries, cluster.bootstrap)
    commands.run("topic", "create", "t", "-p", "1", "-r", "2")
    lines = [f"{n} ".ljust(1000, "x") for n in range(300)]
    for at in range(0, len(lines), 50):  # a batch each
        commands.run("produce", "t", lines="\n".join(lines[at:at + 50]) + "\n")
    plan = os.path.join(folder, "plan.json")

    def ask(topic, log_dir, *words, replicas=None):
        replicas = replicas or json.loads(commands.run("partition", "list", topic, "--json"))[0]["replicas"]
        with open(plan, "w") as file:
            json.dump({"version": 1, "partitions": [{"topic": topic, "partition": 0, "replicas": replicas, "log_dirs": [
                log_dir if id_ == 1 else "any" for id_ in replicas]}]}, file)
        return kafka_tool(At(cluster), TOOL, "--reassignment-json-file", plan, "--execute", "--additional", *words)

    def where(topic="t"):
        return ([each for each in dirs if held(each, topic)], [each for each in dirs if futures(each)])

    home = where()[0][0]
    second, third = [each for each in dirs if each != home]
    ask("t", second, "--replica-alter-log-dirs-throttle", "1000")
    until("a copy in the second directory", 20, lambda: where() == ([home], [second]))
    ask("t", third, "--replica-alter-log-dirs-throttle", "1000")
    until("a copy in the third instead", 20, lambda: where() == ([home], [third]))
    ask("t", home)
    until("no copy any more", 20, lambda: where() == ([home], []))
    result = commands.run("consume", "t", "--exit-at-end").splitlines()
    equal(sorted(result), sorted(lines), "records after all that")

    ask("t", second, "--replica-alter-log-dirs-throttle", "1000")
    until("a copy in the second directory again", 20, lambda: where() == ([home], [second]))
    commands.run("topic", "delete", "t", "--yes")
    until("nothing of a deleted topic", 20, lambda: where() == ([], []))
    until("how moves ended", 20, lambda: first.metric("moldau_replica_moves_total", 'outcome="cancelled"') == 3)
    equal(first.metric("moldau_replica_moves_total"), 3, "moves that ended")
    commands.run("topic", "create", "t", "-p", "1", "-r", "2")
    commands.run("produce", "t", lines="again\n")
    equal(commands.run("consume", "t", "--exit-at-end").splitlines(), ["again"], "records of the topic made anew")

    commands.run("topic", "create", "later", "-p", "1", "-r", "1")
    for wanted in dirs:
        ask("later", "any", replicas=[2])
        until("only on broker 2", 30, lambda: where("later")[0] == [])
        ask("later", wanted, replicas=[1, 2])
        until(f"made in {wanted}", 30, lambda wanted=wanted: where("later")[0] == [wanted])
    equal([each for each in cluster.stop() if each[2] != 0], [], "members that did not end well")


def no_space(folder, binaries, _members):
    """A move to a disk without space, or that fills up meanwhile, ends and says so. The partition goes on where it is, as
    if nobody had asked; with space it moves when it is asked again."""
    disk = OwnDisk(folder, 64)
    try:
        cluster = Cluster(folder, binaries, brokers=1, controllers=1)
        first = cluster.broker(1)
        dirs = [os.path.join(folder, "one"), os.path.join(disk.where, "two")]
        first.settings["log.dirs"] = ",".join(dirs)
        cluster.start()
        commands = Commands(binaries, cluster.bootstrap)
        commands.run("topic", "create", "t", "-p", "2", "-r", "1")
        at = min(held(dirs[0], "t"))
        produced = []

        def produce(count, size):
            lines = [f"{len(produced) + n} ".ljust(size, "x") for n in range(count)]
            commands.run("produce", "t", "-p", str(at), "--acks", "all", lines="\n".join(lines) + "\n")
            produced.extend(lines)

        plan = os.path.join(folder, "plan.json")

        def plan_to(log_dir):
            with open(plan, "w") as file:
                json.dump({"version": 1, "partitions": [{"topic": "t", "partition": at, "replicas": [1], "log_dirs": [log_dir]}]}, file)

        def ask(*words):
            kafka_tool(At(cluster), TOOL, "--reassignment-json-file", plan, "--execute", *words)

        def refusals():
            return sum("no space" in line.lower() and "cannot be moved" in line and dirs[1] in line
                       for line in first.log().splitlines())

        def outcomes():
            return {each: first.metric("moldau_replica_moves_total", f'outcome="{each}"')
                    for each in ("done", "refused", "failed", "cancelled")}

        plan_to(os.path.join(folder, "nowhere"))
        told = kafka_tool(At(cluster), TOOL, "--reassignment-json-file", plan, "--execute", code=1)
        check("LogDirNotFoundException" in told, told)
        plan_to(dirs[1])
        for _ in range(5):
            produce(2000, 1000)
        disk.fill()
        ask()
        until("a refusal for want of space", 30, lambda: refusals() == 1 and not futures(dirs[1]))
        produce(10, 100)
        disk.empty()
        until("there is space", 40, lambda: first.metric("moldau_log_directory_full") == 0)

        ask("--replica-alter-log-dirs-throttle", "1000")
        until("a copy", 20, lambda: futures(dirs[1]))
        disk.fill()
        produce(10, 100)
        commands.run("config", "set", "broker", "1", f"{RATE}=1000000000")
        until("the end of a move that finds no space", 60, lambda: refusals() == 2 and not futures(dirs[1]))
        produce(10, 100)
        told = kafka_tool(At(cluster), TOOL, "--reassignment-json-file", plan, "--verify", "--preserve-throttles")
        check("in progress" not in told and dirs[0] in told, told)
        equal(held(dirs[0], "t"), {at}, "partitions in the first directory")

        disk.empty()
        until("there is space again", 40, lambda: first.metric("moldau_log_directory_full") == 0)
        ask()
        until("it has moved", 60, lambda: at in held(dirs[1], "t") and held(dirs[0], "t") == set())
        until("how moves ended", 20, lambda: outcomes() == {"done": 1, "refused": 1, "failed": 2, "cancelled": 0})
        equal(first.metric("moldau_replica_moves"), 0, "moves under way")
        produce(10, 100)
        first.kill()
        first.start()
        got = commands.run("consume", "t", "-p", str(at), "--exit-at-end").splitlines()
        equal(got, produced, "records after all that")
        equal([each for each in cluster.stop() if each[2] != 0], [], "members that did not end well")
    finally:
        disk.unmount()


def run_moves(suite, binaries, members):
    """`members` has the writer and the reader that other tests of a cluster use."""
    for name, test in (("directories: replicas move between them under load and kill -9", move_under_load),
                       ("directories: a move is redirected, taken back, ended with its topic", change_ones_mind),
                       ("directories: a move that finds no space ends and changes nothing", no_space)):
        with tempfile.TemporaryDirectory(prefix="moldau-moves-") as folder:
            suite.run(name, lambda test=test, folder=folder: test(folder, os.path.abspath(binaries), members))
        nodes.end_all()
