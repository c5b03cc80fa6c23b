#!/usr/bin/env python3
"""A cluster of three controllers and three brokers that loses some of them: what was acknowledged with acks=all
is there exactly once and in order, replicas leave the in-sync set and come back.

usage: run.py --binaries DIRECTORY [--only WORD] [--seed N]"""

import argparse
import importlib.util
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from cluster import ROOT, Cluster  # noqa: E402
import test_balance  # noqa: E402
import test_dev  # noqa: E402
import test_directories  # noqa: E402
import test_lost_disk  # noqa: E402
import test_moves  # noqa: E402
import test_quorum  # noqa: E402
import test_racks  # noqa: E402
import test_throttle  # noqa: E402
from harness import deps, node as nodes  # noqa: E402
from harness.suite import Suite, check, equal  # noqa: E402

SPEC = importlib.util.spec_from_file_location("crash_run", os.path.join(ROOT, "tests/crash/run.py"))
crash = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(crash)

TOPIC, PARTITIONS = crash.TOPIC, crash.PARTITIONS


def admin(cluster, *arguments):
    command = [deps.python(), os.path.join(HERE, "admin.py"), arguments[0], cluster.bootstrap, *map(str, arguments[1:])]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    equal(result.returncode, 0, f"{arguments}: {result.stderr[-1500:]}")
    return [line.split("\t") for line in result.stdout.splitlines()]


def describe(cluster):
    """{partition: (leader, replicas, in-sync replicas)}"""
    ids = lambda text: [int(x) for x in text.split(",") if x]  # noqa: E731
    return {int(n): (int(leader), ids(replicas), ids(isr)) for _, n, leader, replicas, isr in
            admin(cluster, "describe", TOPIC)}


def until(what, within, question):
    """Asks until the answer is true. Returns the seconds it took."""
    began = time.monotonic()
    while True:
        if question():
            return time.monotonic() - began
        check(time.monotonic() - began < within, f"{what}: not within {within} s")
        time.sleep(0.1)


def in_sync(cluster, count):
    return all(len(isr) == count for _, _, isr in describe(cluster).values())


class Writer:
    """The numbered records of the crash test, until it is ended."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.out = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(crash.worker("write", cluster), stdin=subprocess.PIPE, stdout=self.out,
                                        stderr=subprocess.STDOUT, start_new_session=True)

    def end(self):
        """[{number: offset}] of what was acknowledged, by partition."""
        try:
            self.process.stdin.close()
            self.process.wait(90)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        self.out.seek(0)
        lines = [line.rstrip("\n").split("\t") for line in self.out]
        failed = [line for line in lines if line[0] != "acked"]
        equal(failed[:5], [], f"{len(failed)} records the producer could not deliver")
        acked = [{} for _ in range(PARTITIONS)]
        for _, partition, number, offset in lines:
            acked[int(partition)][int(number)] = int(offset)
        return acked


def check_all_there(cluster, acked):
    result = subprocess.run(crash.worker("read", cluster), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            timeout=120)
    equal(result.returncode, 0, "reading everything:\n" + result.stderr[-2000:])
    read = [line.split("\t") for line in result.stdout.splitlines()]
    equal([line for line in read if line[0] != "record"], [], "reading everything")
    surplus = crash.check_records(acked, [(int(p), int(offset), int(number)) for _, p, offset, number in read])
    total = sum(map(len, acked))
    check(total > 0, "nothing was acknowledged")
    return f"{total} records acknowledged, {surplus} more kept"


def create(cluster):
    admin(cluster, "create", TOPIC, PARTITIONS, 3, "min.insync.replicas=2", "segment.bytes=1048576")
    until("all replicas in sync", 20, lambda: in_sync(cluster, 3))


def kill_leaders(cluster, dice):
    """kill -9 of a broker that leads, one after the other, under load."""
    create(cluster)
    writer = Writer(cluster)
    shrunk, back = [], []
    try:
        for _ in range(3):
            time.sleep(dice.uniform(0.5, 1.5))
            victim = cluster.broker(describe(cluster)[dice.randrange(PARTITIONS)][0])
            check(victim.alive(), f"{victim.name} died by itself:\n{victim.log()[-3000:]}")
            victim.kill()
            shrunk.append(until("leaders moved, the dead one out of sync", 20, lambda: all(
                leader not in (-1, victim.id) and victim.id not in isr
                for leader, _, isr in describe(cluster).values())))
            victim.start()
            back.append(until("in sync again", 30, lambda: in_sync(cluster, 3)))
    finally:
        acked = writer.end()
    told = check_all_there(cluster, acked)
    return f"{told}; leaders moved in at most {max(shrunk):.1f} s, in sync again in at most {max(back):.1f} s"


def kill_controllers(cluster, dice):
    """kill -9 of each controller in turn: no produce fails."""
    create(cluster)
    writer = Writer(cluster)
    try:
        for controller in cluster.controllers:
            time.sleep(dice.uniform(0.5, 1.0))
            controller.kill()
            time.sleep(dice.uniform(1.0, 2.0))
            controller.start()
            for broker in cluster.brokers:
                check(broker.alive(), f"{broker.name} ended:\n{broker.log()[-3000:]}")
            until("ready again", 20, lambda: all(broker.is_ready() for broker in cluster.brokers))
    finally:
        acked = writer.end()
    return check_all_there(cluster, acked)


def silence_a_leader(cluster, dice):
    """SIGSTOP of a broker that leads, under load: others lead, and end their clients' connections so that those ask."""
    create(cluster)
    writer = Writer(cluster)
    recalled = "moldau_client_connections_recalled_total"
    try:
        # A client that only knows the silent broker is out of reach.
        until("the producer writes to each broker", 20, lambda: all(
            broker.metric("moldau_produced_records_total") > 0 for broker in cluster.brokers))
        time.sleep(dice.uniform(0.5, 1.5))
        victim = cluster.broker(describe(cluster)[dice.randrange(PARTITIONS)][0])
        others = [broker for broker in cluster.brokers if broker is not victim]
        equal([broker.metric(recalled) for broker in others], [0, 0], "connections recalled while all is well")
        victim.process.send_signal(signal.SIGSTOP)
        try:
            took = until("both others have recalled their clients", 20, lambda: all(
                broker.metric(recalled) > 0 for broker in others))
            cluster.bootstrap = ",".join(broker.bootstrap for broker in others)
            check(all(leader not in (-1, victim.id) for leader, _, _ in describe(cluster).values()), "the silent broker leads")
        finally:
            victim.process.send_signal(signal.SIGCONT)
        until("in sync again", 30, lambda: in_sync(cluster, 3))
    finally:
        acked = writer.end()
    return f"{check_all_there(cluster, acked)}; clients recalled after {took:.1f} s"


def restart_in_turn(cluster, dice):
    """SIGTERM of each broker in turn under load: leaders move first, the end is clean and known as clean."""
    create(cluster)
    writer = Writer(cluster)
    took = []
    try:
        for broker in cluster.brokers:
            time.sleep(dice.uniform(0.3, 0.8))
            seconds, status = broker.stop()
            equal(status, 0, f"{broker.name} at SIGTERM:\n{broker.log()[-3000:]}")
            took.append(seconds)
            check(all(leader not in (-1, broker.id) for leader, _, _ in describe(cluster).values()),
                  f"{broker.name} ended while it led")
            with open(os.path.join(broker.logs, ".kafka_cleanshutdown")) as marker:
                check('"brokerEpoch":-1' not in marker.read(), "the clean end does not say of which registration")
            broker.start()
            until("in sync again", 30, lambda: in_sync(cluster, 3))
    finally:
        acked = writer.end()
    return f"{check_all_there(cluster, acked)}; ended in at most {max(took):.2f} s"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binaries", default="build/release/bin")
    parser.add_argument("--only", default="")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    suite = Suite(arguments.only or None, True, os.path.abspath("build/test-logs/cluster"))
    print(f"seed {arguments.seed}", flush=True)
    for name, test in (("kill -9 of leaders loses nothing and heals", kill_leaders),
                       ("kill -9 of controllers is not noticed by producers", kill_controllers),
                       ("a leader that falls silent is left by its clients", silence_a_leader),
                       ("brokers restart in turn, cleanly", restart_in_turn)):
        with tempfile.TemporaryDirectory(prefix="moldau-cluster-") as folder:
            cluster = Cluster(folder, arguments.binaries)

            def run(test=test, cluster=cluster):
                cluster.start()
                told = test(cluster, random.Random(arguments.seed))
                bad = [each for each in cluster.stop() if each[2] != 0]
                equal(bad, [], "members that did not end well")
                return told

            before = suite.failed
            suite.run(f"cluster: {name}", run)
            if suite.failed > before:
                nodes.end_all()  # what runs moves its files
                kept = os.path.abspath(f"build/test-logs/cluster/seed-{arguments.seed}")
                shutil.copytree(folder, kept, dirs_exist_ok=True)
                print(f"again with: tests/cluster/run.py --seed {arguments.seed}; its data: {kept}\n{cluster.logs()}")
            nodes.end_all()
    test_quorum.run_quorum(suite, arguments.binaries)
    test_lost_disk.run_lost_disk(suite, arguments.binaries)
    test_directories.run_directories(suite, arguments.binaries)
    test_moves.run_moves(suite, arguments.binaries, sys.modules[__name__])
    test_balance.run_balance(suite, arguments.binaries)
    test_racks.run_racks(suite, arguments.binaries)
    test_throttle.run_throttle(suite, arguments.binaries)
    test_dev.run_dev(suite, arguments.binaries)
    print(suite.summary())
    sys.exit(suite.failed != 0)


if __name__ == "__main__":
    main()
