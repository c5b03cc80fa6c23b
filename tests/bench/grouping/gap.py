"""How long nobody can commit when a coordinator is killed: three brokers, three controllers, one client per group that does
what a client library does: it asks any broker for the coordinator and tries again."""

import os
import struct
import threading
import time

from cluster import Cluster
from harness import wire
from harness.wire import Connection, string

from grouping.common import FIND_COORDINATOR, commit, commit_body

GROUPS = 8
RETRY_S = 0.02


class Endpoint:
    def __init__(self, port):
        self.port = port


def coordinator_of(group, brokers):
    """The port of its coordinator, by the first broker that answers; None while nobody knows."""
    for broker in brokers:
        try:
            with Connection(broker, 2) as c:
                answer = c.ask(FIND_COORDINATOR, 0, string(group))
        except (OSError, wire.Closed):
            continue
        error, _, size = struct.unpack_from(">hih", answer)
        if error == 0:
            return struct.unpack_from(">i", answer, 8 + size)[0]
    return None


class Committer(threading.Thread):
    def __init__(self, group, brokers):
        super().__init__(daemon=True)
        self.group, self.brokers = group, brokers
        self.ended = threading.Event()
        self.times = []  # of commits that were answered without an error
        self.port = None

    def run(self):
        offset = 0
        while not self.ended.is_set():
            self.port = coordinator_of(self.group, self.brokers)
            if self.port is None:
                time.sleep(RETRY_S)
                continue
            try:
                with Connection(Endpoint(self.port), 5) as c:
                    while not self.ended.is_set():
                        if commit(c, commit_body(self.group, [0], offset)) != 0:
                            break
                        self.times.append(time.monotonic())
                        offset += 1
                        time.sleep(0.002)
            except (OSError, wire.Closed):
                pass
            time.sleep(RETRY_S)

    def gap(self, began, ended):
        marks = [began, *(t for t in self.times if began < t < ended), ended]
        return max(b - a for a, b in zip(marks, marks[1:]))


def settle(committers, brokers, within=60):
    """Until everybody has committed anew and all replicas are in sync."""
    end, now = time.monotonic() + within, time.monotonic()
    while True:
        in_sync = all(b.metric("moldau_under_replicated_partitions") == 0 for b in brokers)
        if in_sync and all(c.times and c.times[-1] > now for c in committers):
            return
        if time.monotonic() > end:
            raise RuntimeError("the cluster does not settle")
        time.sleep(0.1)


def measure(folder, args):
    """The longest gap of each kill, in seconds, of the groups that the killed broker coordinated."""
    cluster = Cluster(folder, os.path.dirname(args.moldau))
    cluster.start()
    with Connection(cluster.brokers[0], 60) as c:
        error = wire.create_topic(c, "bench", 1, replicas=3)
    if error:
        raise RuntimeError(f"creating the topic: error {error}")
    committers = [Committer(f"gap{i}", cluster.brokers) for i in range(GROUPS)]
    gaps = []
    try:
        for committer in committers:
            committer.start()
        settle(committers, cluster.brokers)
        for turn in range(args.kills):
            victim = cluster.brokers[turn % 3]
            hit = [c for c in committers if c.port == victim.port]
            began = time.monotonic()
            victim.kill()
            time.sleep(4)
            ended = time.monotonic()
            victim.start()
            settle(committers, cluster.brokers)
            time.sleep(2)
            if hit:
                gaps.append(max(c.gap(began, ended) for c in hit))
    finally:
        for committer in committers:
            committer.ended.set()
        for committer in committers:
            committer.join(30)
        cluster.stop()
    return gaps
