#!/usr/bin/env python3
"""Groups, Moldau beside Apache Kafka on this machine: `./dev bench groups`. What a commit costs the broker, how
long it takes to load the offsets of a killed coordinator, how long a group takes to be Stable. The client is this
script on raw sockets, the same for both; docs/benchmarks.md."""

import argparse
import os
import shutil
import struct
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests", "client"))
from harness import deps, node as nodes, wire  # noqa: E402
from harness.wire import Connection, array, string  # noqa: E402

OFFSET_COMMIT, OFFSET_FETCH, FIND_COORDINATOR, JOIN, SYNC = 8, 9, 10, 11, 14
RETRIABLE = (14, 15, 16)
REBALANCE_IN_PROGRESS = 27
SETTINGS = {"group.initial.rebalance.delay.ms": "1000", "offsets.topic.num.partitions": "1",
            "offsets.topic.replication.factor": "1", "offset.metadata.max.bytes": "4096"}
TICKS = os.sysconf("SC_CLK_TCK")


def say(text):
    print(f"bench groups: {text}", file=sys.stderr, flush=True)


def until_ready(ask, within=120):
    end = time.monotonic() + within
    while (error := ask()) in RETRIABLE and time.monotonic() < end:
        time.sleep(0.005)
    if error != 0:
        raise RuntimeError(f"error {error}")


def commit_body(group, partitions, offset):
    rows = [struct.pack(">iqh", p, offset, 0) for p in partitions]
    return string(group) + struct.pack(">i", -1) + string("") + struct.pack(">q", -1) + array([string("bench") + array(rows)])


def commit(c, body):
    return struct.unpack(">h", c.ask(OFFSET_COMMIT, 2, body)[-2:])[0]


def cpu_of(node):
    with open(f"/proc/{node.process.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def everyone(count, work):
    failures = []

    def one(i):
        try:
            work(i)
        except Exception as error:  # said by the main thread
            failures.append(error)
    threads = [threading.Thread(target=one, args=(i,), daemon=True) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def commits(node, args):
    """CPU of the broker per commit of one partition, 100 connections; the first tenth warms up."""
    def some(count):
        def work(i):
            with Connection(node, 60) as c:
                body = commit_body(f"commits{i}", [i % 100], 1)
                for _ in range(count):
                    until_ready(lambda: commit(c, body))
        return work
    each = args.commits // 100
    everyone(100, some(max(each // 10, 1)))
    before, began = cpu_of(node), time.monotonic()
    everyone(100, some(each))
    took = time.monotonic() - began
    return {"cpu us per commit": (cpu_of(node) - before) / (each * 100) * 1e6, "commits per s": each * 100 / took}


def load(node, args):
    """From the end of a killed broker's start to the first offset of a partition with many live commits."""
    with Connection(node, 60) as c:
        for g in range(args.live // 1000):
            until_ready(lambda: commit(c, commit_body(f"load{g}", range(1000), g)))
    node.kill()
    node.start()
    began = time.monotonic()
    with Connection(node, 60) as c:
        body = string("load0") + array([string("bench") + array([struct.pack(">i", 999)])])
        until_ready(lambda: struct.unpack(">h", c.ask(OFFSET_FETCH, 1, body)[-2:])[0])
    return {f"s to load {args.live} commits": time.monotonic() - began}


class Member:
    """JoinGroup and SyncGroup until it is in the generation that everybody is in."""

    def __init__(self, node, group):
        self.c, self.group, self.id = Connection(node, 120), group, ""

    def join(self):
        body = string(self.group) + struct.pack(">ii", 60_000, 60_000) + string(self.id) + string("consumer") + array(
            [string("range") + wire.octets(b"\0\0" + array([string("bench")]) + b"\xff\xff\xff\xff")])
        answer = self.c.ask(JOIN, 2, body)
        error, self.generation = struct.unpack_from(">hi", answer, 4)
        at = 10
        words = []
        for _ in range(3):  # protocol, leader, member id
            size, = struct.unpack_from(">h", answer, at)
            words.append(answer[at + 2:at + 2 + size].decode())
            at += 2 + size
        self.id = words[2] or self.id
        self.members = []
        if words[1] == self.id:
            count, = struct.unpack_from(">i", answer, at)
            at += 4
            for _ in range(count):
                size, = struct.unpack_from(">h", answer, at)
                self.members.append(answer[at + 2:at + 2 + size].decode())
                at += 2 + size
                at += 4 + struct.unpack_from(">i", answer, at)[0]
        return error

    def sync(self):
        given = [string(member) + wire.octets(b"assigned") for member in self.members]
        body = string(self.group) + struct.pack(">i", self.generation) + string(self.id) + array(given)
        return struct.unpack_from(">h", self.c.ask(SYNC, 1, body), 4)[0]

    def settle(self):
        while True:
            error = self.join()
            error = error or self.sync()
            if error == 0:
                return
            if error not in RETRIABLE + (REBALANCE_IN_PROGRESS,):
                raise RuntimeError(f"error {error}")


def form(node, size):
    """All members join at once; until the last has its assignment, the initial delay of 1 s included."""
    members = [Member(node, f"form{size}") for _ in range(size)]
    began = time.monotonic()
    everyone(size, lambda i: members[i].settle())
    took = time.monotonic() - began
    for member in members:
        member.c.socket.close()
    return {f"s until {size} classic members are Stable": took}


def measure(node, args):
    node.start()
    with Connection(node, 60) as c:
        error = wire.create_topic(c, "bench", 1000)
        if error != 0:
            raise RuntimeError(f"creating the topic: {error}")
        c.ask(FIND_COORDINATOR, 0, string("any"))
        time.sleep(3)
        until_ready(lambda: commit(c, commit_body("any", [0], 1)))
    figures = commits(node, args)
    for size in (10, 100, 1000):
        figures |= form(node, size)
    figures |= load(node, args)
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moldau", default=os.path.join(ROOT, "build/release/bin/moldau"))
    parser.add_argument("--commits", type=int, default=50_000)
    parser.add_argument("--live", type=int, default=1_000_000, help="commits to load")
    parser.add_argument("--side", choices=["kafka", "moldau"])
    args = parser.parse_args()
    results = {}
    folder = tempfile.mkdtemp(prefix="moldau-bench-groups-")
    try:
        for side in ([args.side] if args.side else ["kafka", "moldau"]):
            data = os.path.join(folder, side)
            os.makedirs(data)
            node = (nodes.Moldau(data, args.moldau, SETTINGS) if side == "moldau"
                    else nodes.Kafka(data, deps.kafka_lib(False), SETTINGS))
            say(f"measuring {side}, load average {os.getloadavg()[0]:.1f}")
            results[side] = measure(node, args)
            node.stop()
    finally:
        nodes.end_all()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{'':40}" + "".join(f"{side:>12}" for side in results) + ("       ratio" if len(results) == 2 else ""))
    for what in next(iter(results.values())):
        row = [result[what] for result in results.values()]
        print(f"{what:40}" + "".join(f"{value:12.2f}" for value in row) + (f"{row[1] / row[0]:12.2f}" if len(row) == 2 else ""))


if __name__ == "__main__":
    main()
