#!/usr/bin/env python3
"""Keeps what Apache Kafka writes to __consumer_offsets while a group changes its protocol, as test data:

    tests/client/capture_groups.py OUT_FOLDER

Two classic members, one of them static, are Stable; a member of KIP-848 joins (upgrading.txt: it has to wait for what
the others have to give back); it leaves again (downgraded.txt). A record is a line: its key and its value in hex, "-"
for a tombstone. broker/group/consumer_captured_test.cc reads the files."""

import os
import struct
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import badgroups  # noqa: E402
from harness import deps, node as nodes, wire  # noqa: E402
from harness.wire import Connection, array, string  # noqa: E402

GROUP, TOPIC, PARTITIONS = "migrating", "captured", 4
SETTINGS = {"offsets.topic.num.partitions": "1", "group.initial.rebalance.delay.ms": "1000"}


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def varint(self):
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return (value >> 1) ^ -(value & 1)

    def octets(self):
        size = self.varint()
        if size < 0:
            return None
        self.at += size
        return self.data[self.at - size:self.at]


def records(data):
    """(key, value) of every record of uncompressed batches."""
    while len(data) >= 61:
        size, = struct.unpack_from(">i", data, 8)
        count, = struct.unpack_from(">i", data, 57)
        reader = Reader(data[61:12 + size])
        for _ in range(count):
            reader.varint()
            reader.at += 1  # attributes
            reader.varint()
            reader.varint()
            key, value = reader.octets(), reader.octets()
            for _ in range(reader.varint()):
                reader.octets()
                reader.octets()
            yield key, value
        data = data[12 + size:]


class Classic(badgroups.Joining):
    """A cooperative consumer that owns what the leader gave it. Version 5 of JoinGroup knows instance ids."""

    def __init__(self, c, instance, owned):
        super().__init__(c, GROUP)
        self.instance, self.owned = instance, owned

    def join(self):
        topics = array([string(TOPIC)])
        held = array([string(TOPIC) + array([struct.pack(">i", p) for p in self.owned])])
        metadata = b"\0\1" + topics + b"\xff\xff\xff\xff" + held
        body = string(GROUP) + struct.pack(">ii", 45_000, 60_000) + string(self.id) + string(self.instance) + string(
            "consumer") + array([string("cooperative-sticky") + wire.octets(metadata)])
        self.c.send(wire.frame(badgroups.JOIN, 5, body))

    def joined(self):
        answer = self.c.receive()[1]
        error, self.generation = struct.unpack_from(">hi", answer, 4)
        at, words = 10, []
        for _ in range(3):
            size, = struct.unpack_from(">h", answer, at)
            words.append(answer[at + 2:at + 2 + size].decode())
            at += 2 + size
        self.leader, self.id = words[1], words[2] or self.id
        return error

    def sync(self, assignments):
        def assignment(partitions):
            return wire.octets(b"\0\1" + array([string(TOPIC) + array([struct.pack(">i", p) for p in partitions])]) + b"\xff\xff\xff\xff")
        given = [string(member) + assignment(partitions) for member, partitions in assignments.items()]
        body = string(GROUP) + struct.pack(">i", self.generation) + string(self.id) + string(self.instance) + array(given)
        self.c.send(wire.frame(badgroups.SYNC, 3, body))

    def synced(self):
        return struct.unpack_from(">h", self.c.receive()[1], 4)[0]


def heartbeat(c, epoch):
    """A member of KIP-848 joins (0) or leaves (-1): the error."""
    def compact(text):
        return bytes([len(text) + 1]) + text.encode()
    topics = b"\2" + compact(TOPIC) if epoch == 0 else b"\0"
    body = (compact(GROUP) + compact("member-of-kip-848") + struct.pack(">i", epoch) + b"\0\0" +
            struct.pack(">i", 60_000 if epoch == 0 else -1) + topics + b"\0\0" + (b"\1" if epoch == 0 else b"\0") + b"\0")
    request = struct.pack(">hhi", badgroups.CONSUMER_GROUP_HEARTBEAT, 1, 1) + string("wire") + b"\0" + body
    c.send(struct.pack(">i", len(request)) + request)
    return struct.unpack_from(">h", c.receive()[1], 5)[0]


def must(error, what):
    if error:
        raise RuntimeError(f"{what}: error {error}")


def save(node, path):
    with Connection(node) as c:
        error, _, data = wire.fetch(c, "__consumer_offsets", 0, bytes_max=4 << 20)
    must(error, "reading the log")
    with open(path, "w", encoding="ascii") as out:
        for key, value in records(data):
            out.write(f"{key.hex()} {'-' if value is None else value.hex()}\n")


def capture(node, folder):
    with Connection(node) as c:
        must(wire.create_topic(c, TOPIC, PARTITIONS), "creating the topic")
        c.ask(badgroups.FIND_COORDINATOR, 0, string("any"))
        while badgroups.commit(c, GROUP, 7, topic=TOPIC):
            time.sleep(0.1)
    with Connection(node, 60) as a, Connection(node, 60) as b, Connection(node, 60) as c:
        first, second = Classic(a, None, []), Classic(b, "static", [])
        first.join()
        first.joined()  # it is told its member id, and to come again with it
        for member in (first, second):
            member.join()
        must(first.joined(), "joining")
        must(second.joined(), "joining")
        leader = first if first.leads() else second
        shares = {first.id: [0, 1], second.id: [2, 3]}
        for member in (first, second):
            member.sync(shares if member is leader else {})
        must(first.synced(), "syncing")
        must(second.synced(), "syncing")
        must(heartbeat(c, 0), "joining by KIP-848")
        save(node, os.path.join(folder, "upgrading.txt"))
        must(heartbeat(c, -1), "leaving")
        save(node, os.path.join(folder, "downgraded.txt"))


def main(folder):
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="moldau-capture-") as scratch:
        node = nodes.Kafka(scratch, deps.kafka_lib(False), SETTINGS)
        try:
            node.start()
            capture(node, folder)
        finally:
            nodes.end_all()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
