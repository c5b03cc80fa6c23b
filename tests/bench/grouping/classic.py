"""Groups of the classic protocol: what commits cost, how long their load takes, how long a group takes to form."""

import struct
import time

from harness import classic
from harness.wire import Connection, array, string

from grouping.common import RETRIABLE, commit, commit_body, cpu_of, everyone, until_ready

OFFSET_FETCH = 9
REBALANCE_IN_PROGRESS = 27


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
    return {"commits, CPU each": (cpu_of(node) - before) / (each * 100) * 1e6, "commits a second": each * 100 / took}


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
    return {"load of live commits after kill -9": time.monotonic() - began}


class Member(classic.Member):
    """JoinGroup and SyncGroup until it is in the generation that everybody is in."""

    def __init__(self, node, group):
        super().__init__(Connection(node, 120), group, "bench", 60_000, 60_000)

    def settle(self):
        while True:
            error = self.join()
            error = error or self.sync()
            if error == 0:
                return
            if error not in RETRIABLE + (REBALANCE_IN_PROGRESS,):
                raise RuntimeError(f"error {error}")


def form(node, size):
    """All members join at once; until the last has its assignment."""
    members = [Member(node, f"form{size}") for _ in range(size)]
    began = time.monotonic()
    everyone(size, lambda i: members[i].settle())
    took = time.monotonic() - began
    for member in members:
        member.c.socket.close()
    return {f"{size:,} members, classic protocol": took}


