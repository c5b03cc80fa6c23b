"""Groups that ask for too much, over the wire: clear errors, bounded memory, nothing lost."""

import struct
import threading
import time

from harness import classic, wire
from harness.suite import check, equal, run_on_a_node
from harness.wire import Connection, array, string

ALTER_CONFIGS, INCREMENTAL_ALTER_CONFIGS = 33, 44
GROUP, BROKER, SET, DELETE = b"\x20", b"\x04", b"\0", b"\1"  # kinds of resources, operations
INVALID_CONFIG, INVALID_REQUEST = 40, 42
OFFSET_COMMIT, OFFSET_FETCH, FIND_COORDINATOR, LIST_GROUPS, DELETE_TOPICS = 8, 9, 10, 16, 20
CONSUMER_GROUP_HEARTBEAT = 68
UNKNOWN_MEMBER, REBALANCE_IN_PROGRESS, INVALID_REGULAR_EXPRESSION = 25, 27, 128
UNKNOWN_TOPIC, METADATA_TOO_LARGE, LOADING, NOT_AVAILABLE, NOT_COORDINATOR = 3, 12, 14, 15, 16
GROUPS, CONNECTIONS, MIB = 10_000, 20, 1 << 20
STRING_MAX = 32_767


def commit(c, group, offset, metadata="", topic="bad.groups"):
    """The error, once the group's coordinator is there."""
    body = string(group) + struct.pack(">i", -1) + string("") + struct.pack(">q", -1) + array(
        [string(topic) + array([struct.pack(">iq", 0, offset) + string(metadata)])])
    return when_ready(lambda: struct.unpack(">h", c.ask(OFFSET_COMMIT, 2, body)[-2:])[0])


def committed(c, group, topic="bad.groups"):
    body = string(group) + array([string(topic) + array([struct.pack(">i", 0)])])
    found = {}

    def ask():
        answer = c.ask(OFFSET_FETCH, 1, body)
        found["offset"], = struct.unpack_from(">q", answer, 4 + 2 + len(topic) + 4 + 4)
        return struct.unpack(">h", answer[-2:])[0]
    equal(when_ready(ask), 0, f"reading the offset of {group[:20]}")
    return found["offset"]


def when_ready(ask, within=60):
    end = time.monotonic() + within
    while True:
        error = ask()
        if error not in (LOADING, NOT_AVAILABLE, NOT_COORDINATOR) or time.monotonic() > end:
            return error
        time.sleep(0.1)


class Joining(classic.Member):
    """Has a rebalance timeout of two seconds."""

    def __init__(self, c, group):
        super().__init__(c, group, "bad.groups", 30_000, 2_000)

    def join(self):
        return when_ready(super().join)


class BadGroups:
    def __init__(self, node):
        self.node = node
        with Connection(node) as c:
            equal(wire.create_topic(c, "bad.groups"), 0, "creating the topic")
            c.ask(FIND_COORDINATOR, 0, string("any"))
            end = time.monotonic() + 30
            while commit(c, "any", 1) != 0:
                check(time.monotonic() < end, "no commit is taken")
                time.sleep(0.1)

    def sizes(self):
        with Connection(self.node) as c:
            equal(commit(c, "sizes", 5, "x" * 4096), 0, "metadata of 4,096 bytes")
            equal(commit(c, "sizes", 6, "x" * 4097), METADATA_TOO_LARGE, "metadata of 4,097 bytes")
            equal(committed(c, "sizes"), 5, "the offset after the refusal")
            longest = "g" * STRING_MAX
            equal(commit(c, longest, 7), 0, "a group id as long as the protocol allows")
            equal(committed(c, longest), 7, "its offset")
        # Only the compact form has room for more: 100,000 bytes, the length as a varint of one more.
        with Connection(self.node) as c:
            header = struct.pack(">hhi", OFFSET_COMMIT, 8, 1) + string("wire") + b"\0"
            request = header + b"\xa1\x8d\x06" + b"g" * 100_000
            c.send(struct.pack(">i", len(request)) + request)
            check(c.closed_within(10), "a group id of 100,000 bytes was answered")

    def out_of_bounds(self):
        """Configs of a group, and of the brokers for all groups, beyond group.consumer.min/max.*: not taken, and the
        error says why. The harness has set the least session to 6 s and the least interval of heartbeats to 1 s."""
        session, beat, pause = ("consumer.session.timeout.ms", "consumer.heartbeat.interval.ms",
                                "consumer.assignment.interval.ms")

        def answered(answer):
            error, = struct.unpack_from(">h", answer, 8)
            length, = struct.unpack_from(">h", answer, 10)
            return error, answer[12:12 + length].decode() if length > 0 else ""

        def change(c, configs, operation=SET, kind=GROUP, name="bounds"):
            each = [string(key) + operation + string(value) for key, value in configs]
            return answered(c.ask(INCREMENTAL_ALTER_CONFIGS, 0, array([kind + string(name) + array(each)]) + b"\0"))

        def replace(c, configs):
            each = [string(key) + string(value) for key, value in configs]
            return answered(c.ask(ALTER_CONFIGS, 1, array([GROUP + string("bounds") + array(each)]) + b"\0"))

        with Connection(self.node) as c:
            for key, low, high in ((session, "5999", "60001"), (beat, "999", "15001"), (pause, "-1", "15001")):
                for value, bound in ((low, "min"), (high, "max")):
                    for ask in (change, replace):
                        error, why = ask(c, [(key, value)])
                        equal(error, INVALID_CONFIG, f"{key}={value}: {why}")
                        named = "" if value == "-1" else key.replace("consumer.", f"group.consumer.{bound}.")
                        check(key in why and named in why, why)
            equal(change(c, [(session, "15000"), (beat, "15000")])[0], INVALID_CONFIG, "a session as short as an interval")
            equal(change(c, [(session, "6000"), (beat, "1000"), (pause, "15000")]), (0, ""), "the bounds themselves")
            equal(change(c, [(session, "5999")], DELETE), (0, ""), "none of its own")
            equal(replace(c, [(session, "60000")]), (0, ""), "all of them replaced")
            error, why = change(c, [("group." + pause, "15001")], kind=BROKER, name="")
            equal(error, INVALID_REQUEST, f"the brokers' own: {why}")
            equal(change(c, [("group." + pause, "500")], kind=BROKER, name=""), (0, ""), "the brokers' own, within bounds")
            equal(change(c, [("group." + pause, "")], DELETE, BROKER, ""), (0, ""), "the brokers' own, taken back")

    def topic_gone(self):
        with Connection(self.node) as c:
            equal(wire.create_topic(c, "bad.gone"), 0, "creating the topic")
            end = time.monotonic() + 30
            while commit(c, "gone", 3, topic="bad.gone") != 0:
                check(time.monotonic() < end, "no commit is taken for the new topic")
                time.sleep(0.1)
            c.ask(DELETE_TOPICS, 1, array([string("bad.gone")]) + struct.pack(">i", 20000))
            while commit(c, "gone", 4, topic="bad.gone") != UNKNOWN_TOPIC:
                check(time.monotonic() < end, "a commit for a topic that is gone is taken")
                time.sleep(0.1)

    def exploding_expression(self):
        """As a consumer of KIP-848 sends it: one whose program is too large, and one that others backtrack on for ever."""
        with Connection(self.node) as c:
            error = self.heartbeat(c, "((a{100}){100}){100}")
            if self.node.name == "moldau":  # Kafka takes it, and gives it the memory
                equal(error, INVALID_REGULAR_EXPRESSION, "an expression of a million states")
            began = time.monotonic()
            equal(when_ready(lambda: self.heartbeat(c, "(a+)+(b|bad)*$.groups")), 0, "an expression that is only slow elsewhere")
            check(time.monotonic() - began < 10, "it took too long")

    @staticmethod
    def heartbeat(c, expression):
        """The error. Version 1 is flexible: lengths are varints of one more, and tags end each structure."""
        def compact(text):
            return bytes([len(text) + 1]) + text.encode()
        body = (compact("explode") + compact("member-" + str(len(expression))) + struct.pack(">i", 0) + b"\0\0" + struct.pack(">i", 60_000) +
                b"\0" + compact(expression) + b"\0" + b"\1" + b"\0")
        request = struct.pack(">hhi", CONSUMER_GROUP_HEARTBEAT, 1, 1) + string("wire") + b"\0" + body
        c.send(struct.pack(">i", len(request)) + request)
        _, answer = c.receive()
        return struct.unpack_from(">h", answer, 1 + 4)[0]

    def never_syncs(self):
        """Its group goes on without it when its rebalance timeout is over."""
        with Connection(self.node, 60) as a, Connection(self.node, 60) as b:
            first = Joining(a, "never.syncs")
            equal(first.join(), 0, "the first member joins")
            equal(first.sync(), 0, "and syncs")
            silent = Joining(b, "never.syncs")
            silent.send()
            end = time.monotonic() + 30
            while first.beat() != REBALANCE_IN_PROGRESS:
                check(time.monotonic() < end, "the first member is not told of the second")
                time.sleep(0.05)
            equal(first.join(), 0, "the first member joins again")
            equal(silent.receive(), 0, "the second one joins")
            check(first.leads() and len(first.members) == 2, f"the first member is told of {first.members}")
            equal(first.sync(), 0, "and syncs, the second one does not")
            while (error := first.beat()) not in (0, REBALANCE_IN_PROGRESS) or len(first.members) != 1:
                check(time.monotonic() < end, f"the group waits for who never syncs: error {error}, members {first.members}")
                time.sleep(0.05)
                if error == REBALANCE_IN_PROGRESS:
                    equal(first.join(), 0, "the first member joins once more")
                    equal(first.sync(), 0, "and syncs")
            equal(silent.beat(), UNKNOWN_MEMBER, "who never synced is out")

    def many(self):
        before = self.node.memory()
        failures = []

        def some(first):
            try:
                with Connection(self.node, 60) as c:
                    for i in range(first, GROUPS, CONNECTIONS):
                        equal(commit(c, f"many{i}", i), 0, f"the commit of group {i}")
            except Exception as error:  # said by the main thread
                failures.append(error)
        threads = [threading.Thread(target=some, args=(i,)) for i in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check(not failures, failures[:1])
        grown = self.node.memory() - before
        if self.node.name == "moldau":
            check(grown < 100 * MIB, f"memory grew by {grown // MIB} MiB for {GROUPS} groups")
        self.node.restart()
        with Connection(self.node, 60) as c:
            for i in range(0, GROUPS, 97):
                equal(committed(c, f"many{i}"), i, f"the offset of group {i} after a restart")
            listed = c.ask(LIST_GROUPS, 0, b"")
            equal(listed.count(b"many"), GROUPS, "groups listed")
        return f"{GROUPS} groups: {grown // 1024} KiB"


def run_bad_groups(suite, context):
    tests = [("sizes of group ids and metadata", BadGroups.sizes), ("a topic that is gone", BadGroups.topic_gone),
             ("configs out of bounds", BadGroups.out_of_bounds),
             ("an expression that explodes", BadGroups.exploding_expression),
             ("a member that never syncs", BadGroups.never_syncs), ("10,000 groups", BadGroups.many)]
    run_on_a_node(suite, context, "bad groups", tests, BadGroups)
