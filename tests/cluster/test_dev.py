#!/usr/bin/env python3
"""`moldau dev --brokers 3 --controllers 3` and the commands over a cluster, as a person uses them: nodes are
killed and restarted by command, health tells it, partitions move, a broker is drained; nothing outlives the
foreground.

usage: test_dev.py [--binaries DIRECTORY] [--only WORD]"""

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/client"))
from harness import deps, node as nodes  # noqa: E402
from harness.suite import Failed, Suite, check, equal  # noqa: E402

SHAPE = ["--brokers", "3", "--controllers", "3"]


def until(what, within, question):
    """Asks until the answer is true; returns it."""
    began = time.monotonic()
    while True:
        answer = question()
        if answer:
            return answer
        check(time.monotonic() - began < within, f"{what}: not within {within} s")
        time.sleep(0.1)


def lasting_port():
    """A free port that no outgoing connection is given while the cluster is down."""
    while True:
        port = random.randrange(12000, 19000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


class Dev:
    """The foreground, its directory and the commands."""

    def __init__(self, folder, binaries):
        self.folder, self.moldau = folder, os.path.abspath(os.path.join(binaries, "moldau"))
        self.data = os.path.join(folder, "data")
        self.port, self.http = lasting_port(), lasting_port()
        self.out_path = os.path.join(folder, "foreground.txt")
        self.process = None

    def start(self, shape):
        with open(self.out_path, "w") as out:
            self.process = subprocess.Popen(
                [self.moldau, "dev", *shape, "--data-dir", self.data, "--port", str(self.port), "--http-port",
                 str(self.http)], stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
        nodes.STARTED.append(self.process)
        until("the greeting", 60, self.greeted)

    def greeted(self):
        check(self.process.poll() is None, "the foreground ended:\n" + self.said())
        return f"moldau is listening on 127.0.0.1:{self.port} " in self.said()

    def said(self):
        with open(self.out_path) as file:
            return file.read()

    def members(self):
        with open(os.path.join(self.data, "dev.json")) as file:
            return json.load(file)

    def member(self, role, number):
        return next(each for each in self.members() if each["role"] == role and each["id"] == number)

    def run(self, *words, code=0, lines=""):
        """A command over the cluster; its output. `code` None: any."""
        result = subprocess.run([self.moldau, *words, "--brokers", self.bootstrap()], input=lines, capture_output=True,
                                text=True, timeout=90)
        if code is not None:
            equal(result.returncode, code, f"moldau {' '.join(words)}: {result.stdout[-1500:]}{result.stderr[-1500:]}")
        return result.stdout

    def bootstrap(self):
        return ",".join(each["kafka"] for each in self.members() if each["role"] == "broker")

    def dev(self, *words, code=0):
        result = subprocess.run([self.moldau, "dev", *words, "--data-dir", self.data], stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, timeout=90)
        equal(result.returncode, code, f"moldau dev {' '.join(words)}: {result.stdout}{result.stderr}")
        return result.stdout

    def health(self):
        return json.loads(self.run("cluster", "health", "--json", code=None) or '{"healthy": false, "findings": []}')

    def finding(self, kind):
        return next((each for each in self.health()["findings"] if each["kind"] == kind), None)

    def await_healthy(self):
        last = {}

        def healthy():
            last.update(self.health())
            return last["healthy"]
        try:
            until("healthy again", 40, healthy)
        except Failed as failure:
            raise Failed(f"{failure}\n{json.dumps(last, indent=1)}") from failure


def create(dev, topic, partitions, replicas):
    """Again if the controllers just elected another leader: then nobody knows whether it was made."""
    words = ["topic", "create", topic, "-p", partitions, "-r", replicas, "--if-not-exists"]
    until(f"topic {topic}", 30, lambda: topic in dev.run(*words, code=None) + dev.run("topic", "list", code=None))


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def look_at_list(dev):
    members = dev.members()
    equal([(each["role"], each["id"]) for each in members],
          [("broker", 1), ("broker", 2), ("broker", 3), ("controller", 1), ("controller", 2), ("controller", 3)], "dev.json")
    for each in members:
        broker = each["role"] == "broker"
        check(alive(each["pid"]), f"{each} does not run")
        equal(os.path.basename(os.readlink(f"/proc/{each['pid']}/exe")), f"moldau-{each['role']}", "its program")
        equal([each[key] is not None for key in ("kafka", "internal", "http", "grpc")],
              [broker, broker, True, not broker], f"addresses of {each}")
        check(os.path.getsize(each["log"]) > 0, f"nothing in {each['log']}")
    equal(dev.member("broker", 1)["kafka"], f"127.0.0.1:{dev.port}", "broker 1")
    equal(len({each["pid"] for each in members}), 6, "processes")
    check("ready" in dev.dev("list"), "dev list")


def lose_a_broker(dev):
    create(dev, "orders", "6", "3")
    dev.await_healthy()
    before = dev.member("broker", 2)
    dev.dev("kill", "broker", "2")
    check(not alive(before["pid"]), "broker 2 is still there")
    until("the foreground tells it", 5, lambda: "broker 2 died: killed by signal 9" in dev.said())
    equal(dev.member("broker", 2)["pid"], None, "pid of who is down")
    found = until("health tells it", 15, lambda: dev.finding("broker-away"))
    equal(found["broker"], 2, "who is away")
    until("health tells what that means", 15, lambda: dev.finding("under-replicated"))
    dev.run("cluster", "health", code=1)
    time.sleep(1)
    equal(dev.member("broker", 2)["pid"], None, "it stays down")
    dev.dev("restart", "broker", "2")
    after = dev.member("broker", 2)
    check(after["pid"] not in (None, before["pid"]), "a new process")
    equal({k: after[k] for k in ("kafka", "internal", "http", "log")},
          {k: before[k] for k in ("kafka", "internal", "http", "log")}, "what is kept")
    dev.await_healthy()
    dev.run("cluster", "health")


def lose_controllers(dev):
    leader = json.loads(dev.run("quorum", "status", "--json"))["leader"]
    dev.dev("kill", "controller", str(leader))
    found = until("health tells it", 20, lambda: dev.finding("controller-away"))
    check(f"Controller {leader} " in found["message"], found["message"])
    other = leader % 3 + 1
    dev.dev("kill", "controller", str(other))
    until("no controller leads", 20, lambda: dev.finding("no-controller"))
    dev.dev("restart", "controller", str(other), "--no-wait")
    dev.dev("restart", "controller", str(leader))
    dev.await_healthy()


def freeze_a_broker(dev):
    dev.dev("pause", "broker", "3")
    until("health tells it", 20, lambda: dev.finding("broker-away"))
    dev.dev("resume", "broker", "3")
    dev.await_healthy()


def find(folder, name):
    return [os.path.join(at, name) for at, folders, _ in os.walk(folder) if name in folders]


def move_partitions(dev):
    create(dev, "moved", "2", "1")
    dev.run("partition", "move", "moved", "--to", "3,2")
    listed = json.loads(dev.run("partition", "list", "moved", "--json"))
    equal([each["replicas"] for each in listed], [[3, 2], [2, 3]], "replicas")
    dev.run("partition", "elect")
    until("preferred leaders", 20, lambda: [each["leader"] for each in json.loads(
        dev.run("partition", "list", "moved", "--json"))] == [3, 2])
    # A replica leaves a broker, comes back and leaves again before what it left the first time is deleted.
    create(dev, "wandering", "1", "1")
    for to in ("1", "2", "1", "2", "1"):
        dev.run("partition", "move", "wandering", "--to", to)
    logs = os.path.join(os.path.dirname(dev.member("broker", 2)["log"]), "data")
    check(os.path.isdir(logs), f"{logs}: {os.listdir(os.path.dirname(logs))}")
    until("the replica has left broker 2", 20, lambda: not find(logs, "wandering-0"))
    check(json.loads(dev.run("balance", "status", "--json")).keys() >= {"balanced", "moves_under_way"}, "balance")
    dev.run("broker", "may-restart", "1")


def drain_a_broker(dev):
    create(dev, "drained", "4", "2")
    dev.run("topic", "delete", "orders", "--yes")  # three replicas have nowhere else to go
    dev.run("broker", "drain", "2")
    brokers = {each["id"]: each for each in json.loads(dev.run("broker", "list", "--json"))}
    equal((brokers[2]["draining"], brokers[2]["replicas"]), (True, 0), "broker 2")
    dev.run("broker", "remove", "2", "--yes", code=1)  # it runs
    dev.run("broker", "resume", "2")
    dev.run("balance", "start")


def kafka_tool(dev, name, *words, code=0):
    """Its output; of one that is to fail, its complaints too. The tools say what failed in words, not always with their exit code."""
    lib = os.path.join(deps.kafka_lib(True), "*")
    result = subprocess.run(
        ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", lib, f"org.apache.kafka.tools.{name}", "--bootstrap-server",
         dev.bootstrap(), *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90)
    equal(result.returncode, code, f"{name} {words}: {result.stdout[-1500:]}{result.stderr[-1500:]}")
    return result.stdout + (result.stderr if code else "")


def verify_replicas(dev, topic):
    """Kafka's tool reads every replica as a consumer and compares them; it goes on for ever, so only its first words
    are heard."""
    command = ["timeout", "60", "java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", os.path.join(deps.kafka_lib(True), "*"),
               "org.apache.kafka.tools.ReplicaVerificationTool", "--broker-list", dev.bootstrap(), "--topics-include", topic,
               "--report-interval-ms", "500"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as tool:
        said = []
        for line in tool.stdout:
            said.append(line)
            if "max lag" in line:
                break
        tool.terminate()
    check(said and "max lag is 0 for partition" in said[-1], "ReplicaVerificationTool: " + "".join(said)[-1500:])


def kafka_tools(dev):
    create(dev, "tools", "2", "1")
    status = kafka_tool(dev, "MetadataQuorumCommand", "describe", "--status")
    leader = json.loads(dev.run("quorum", "status", "--json"))["leader"]
    check(f"LeaderId:               {leader}\n" in status, status)
    for each in dev.members():
        check(each["grpc"] is None or f"CONTROLLER://{each['grpc']}" in status, status)
    plan = os.path.join(dev.folder, "reassign.json")
    with open(plan, "w") as file:
        json.dump({"version": 1, "partitions": [{"topic": "tools", "partition": 0, "replicas": [3, 1]},
                                                {"topic": "tools", "partition": 1, "replicas": [2, 3]}]}, file)
    told = kafka_tool(dev, "reassign.ReassignPartitionsCommand", "--reassignment-json-file", plan, "--execute")
    check("Successfully started partition reassignments for tools-0,tools-1" in told, told)
    until("verified", 30, lambda: kafka_tool(
        dev, "reassign.ReassignPartitionsCommand", "--reassignment-json-file", plan, "--verify").count("is completed") == 2)
    check("No partition reassignments" in kafka_tool(dev, "reassign.ReassignPartitionsCommand", "--list"), "left over")
    kafka_tool(dev, "LeaderElectionCommand", "--election-type", "preferred", "--all-topic-partitions")
    listed = json.loads(dev.run("partition", "list", "tools", "--json"))
    equal([(each["replicas"], each["leader"]) for each in listed], [([3, 1], 3), ([2, 3], 2)], "replicas and leaders")
    dev.await_healthy()
    equal(kafka_tool(dev, "TopicCommand", "--describe", "--under-replicated-partitions"), "", "under-replicated")
    dev.run("produce", "tools", lines="one\ntwo\nthree\n")
    verify_replicas(dev, "tools")


def outlive_nobody(dev):
    pids = [each["pid"] for each in dev.members()]
    dev.process.kill()
    dev.process.wait()
    until("the nodes end with the foreground", 5, lambda: not any(map(alive, pids)))
    before = dev.members()
    dev.start(["--brokers", "3"])
    keys = ("id", "role", "kafka", "internal", "http", "grpc", "log")
    equal([[each[k] for k in keys] for each in dev.members()], [[each[k] for k in keys] for each in before], "kept")
    dev.await_healthy()
    check("moved" in dev.run("topic", "list"), "the data is there")
    pids = [each["pid"] for each in dev.members()]
    began = time.monotonic()
    dev.process.send_signal(signal.SIGINT)
    equal(dev.process.wait(60), 0, "exit code after Ctrl-C:\n" + dev.said()[-2000:])
    check(not any(map(alive, pids)), "somebody is left")
    check("killed" not in dev.said(), dev.said()[-2000:])
    equal([each["pid"] for each in dev.members()], [None] * 6, "dev.json at the end")
    return f"ended in {time.monotonic() - began:.1f} s"


TESTS = (("six processes and dev.json", look_at_list), ("a broker is killed and comes back", lose_a_broker),
         ("controllers are killed and come back", lose_controllers), ("a broker is frozen", freeze_a_broker),
         ("partitions move", move_partitions), ("a broker is drained", drain_a_broker),
         ("Kafka's own tools", kafka_tools),
         ("nothing outlives the foreground", outlive_nobody))


def run_dev(suite, binaries):
    """One cluster for all tests, in order."""
    if not any(suite.wants(f"dev: {name}") for name, _ in TESTS):
        return
    with tempfile.TemporaryDirectory(prefix="moldau-dev-") as folder:
        dev = Dev(folder, binaries)
        try:
            dev.start(SHAPE)
            for name, test in TESTS:
                if suite.run(f"dev: {name}", lambda test=test: test(dev)) is False:
                    print(dev.said()[-3000:])
        except Failed as failure:
            suite.run("dev: starts", lambda: check(False, str(failure)))
        finally:
            if dev.process and dev.process.poll() is None:
                dev.process.kill()
                dev.process.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binaries", default="build/release/bin")
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    suite = Suite(arguments.only or None, True, os.path.abspath("build/test-logs/cluster"))
    run_dev(suite, arguments.binaries)
    print(suite.summary())
    sys.exit(suite.failed != 0 or suite.passed == 0)


if __name__ == "__main__":
    main()
