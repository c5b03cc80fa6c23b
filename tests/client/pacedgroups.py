"""The pause between two assignments of a group of the consumer protocol, over the wire: set for a group, for the cluster
while brokers run, and not at all."""

import struct
import time

import badgroups
from harness import wire
from harness.suite import check, equal, run_on_a_node
from harness.wire import Connection, array, string

TOPIC, PARTITIONS, PAUSE = "paced.groups", 4, 3.0


def compact(text):
    return bytes([len(text) + 1]) + text.encode()


class Member:
    """Says what it owns, and takes what it is told. Of ConsumerGroupHeartbeat 1: compact lengths, tags after each structure."""

    def __init__(self, c, group, name):
        self.c, self.group, self.name = c, group, name
        self.epoch, self.owned, self.topic_id = 0, [], b""

    def beat(self):
        joins = self.epoch == 0
        owned = b"\1"
        if self.owned:
            owned = b"\2" + self.topic_id + bytes([len(self.owned) + 1]) + struct.pack(f">{len(self.owned)}i", *self.owned) + b"\0"
        body = (compact(self.group) + compact(self.name) + struct.pack(">i", self.epoch) + b"\0\0" +
                struct.pack(">i", 60_000 if joins else -1) + (b"\2" + compact(TOPIC) if joins else b"\0") + b"\0\0" + owned + b"\0")
        request = struct.pack(">hhi", badgroups.CONSUMER_GROUP_HEARTBEAT, 1, 1) + string("wire") + b"\0" + body
        self.c.send(struct.pack(">i", len(request)) + request)
        _, answer = self.c.receive()
        return self.take(answer)

    def take(self, answer):
        """The error."""
        error, length = struct.unpack_from(">hB", answer, 1 + 4)
        at = 8 + max(length - 1, 0)
        if error:
            return error
        at += answer[at]  # the member id, with its length
        self.epoch, interval_, has = struct.unpack_from(">iib", answer, at)
        at += 9
        if has < 0:
            return 0
        topics, at, owned = answer[at] - 1, at + 1, []
        for _ in range(topics):
            self.topic_id, count = answer[at:at + 16], answer[at + 16] - 1
            owned += struct.unpack_from(f">{count}i", answer, at + 17)
            at += 17 + 4 * count + 1
        self.owned = owned
        return 0


class PacedGroups:
    def __init__(self, node):
        self.node = node
        with Connection(node) as c:
            equal(wire.create_topic(c, TOPIC, PARTITIONS), 0, "creating the topic")
            c.ask(badgroups.FIND_COORDINATOR, 0, string("any"))  # makes the coordinators

    def alter(self, kind, name, key, value):
        operation = badgroups.SET if value is not None else badgroups.DELETE
        with Connection(self.node) as c:
            body = array([kind + string(name) + array([string(key) + operation + string(value)])]) + b"\0"
            error, = struct.unpack_from(">h", c.ask(badgroups.INCREMENTAL_ALTER_CONFIGS, 0, body), 8)
            equal(error, 0, f"{key}={value} for {name or 'all brokers'}")

    def second_target(self, group):
        """Two members; seconds from before the first joins until it is told to give something back."""
        with Connection(self.node) as a, Connection(self.node) as b:
            first, second = Member(a, group, "first"), Member(b, group, "second")
            began = 0

            def join():
                nonlocal began
                began = time.monotonic()
                return first.beat()
            equal(badgroups.when_ready(join), 0, "the first member joins")
            equal(sorted(first.owned), list(range(PARTITIONS)), "its first assignment, which waits for nothing")
            equal(second.beat(), 0, "the second member joins")
            end = time.monotonic() + 60
            while len(first.owned) == PARTITIONS:
                check(time.monotonic() < end, "the second member is never given anything")
                for member in (second, first):
                    equal(member.beat(), 0, f"a heartbeat of the {member.name}")
                time.sleep(0.02)
            took = time.monotonic() - began
            while len(second.owned) != PARTITIONS // 2:
                check(time.monotonic() < end, f"the second member has {second.owned}")
                for member in (first, second):
                    equal(member.beat(), 0, f"a heartbeat of the {member.name}")
                time.sleep(0.02)
            return took

    def paused(self, group, alter):
        # With Apache Kafka a change is in force some time after its answer; it has whole milliseconds of the wall's clock.
        for attempt in range(1 if self.node.name == "moldau" else 5):
            alter(f"{group}{attempt}")
            took = self.second_target(f"{group}{attempt}")
            if took >= PAUSE - 0.01:
                return took
        raise AssertionError(f"the second assignment came after {took:.2f} s")

    def of_a_group(self):
        took = self.paused("paced.own", lambda group: self.alter(
            badgroups.GROUP, group, "consumer.assignment.interval.ms", str(int(PAUSE * 1000))))
        return f"{took:.2f} s"

    def of_all_groups(self):
        took = self.paused("paced.all", lambda _: self.alter(
            badgroups.BROKER, "", "group.consumer.assignment.interval.ms", str(int(PAUSE * 1000))))
        self.alter(badgroups.BROKER, "", "group.consumer.assignment.interval.ms", "0")
        at_once = self.second_target("paced.none")
        check(at_once < took, f"without a pause it took {at_once:.2f} s")
        self.alter(badgroups.BROKER, "", "group.consumer.assignment.interval.ms", None)
        return f"{took:.2f} s, {at_once:.2f} s without"


def run_paced_groups(suite, context):
    tests = [("a group's own pause between assignments", PacedGroups.of_a_group),
             ("all groups' pause, changed while the broker runs", PacedGroups.of_all_groups)]
    run_on_a_node(suite, context, "paced groups", tests, PacedGroups)
