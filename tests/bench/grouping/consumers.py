"""A group of the consumer protocol (KIP-848) that forms. The members are those of one loop on one thread, and behave as
the Java client does: the next heartbeat after the interval that the coordinator named, at once when an assignment has
been taken over."""

import collections
import heapq
import selectors
import socket
import struct
import time
import uuid

from grouping.common import RETRIABLE

HEARTBEAT = 68
PARTITIONS = 1000
REBALANCE_TIMEOUT_MS = 300_000
RETRY_S = 0.1


def varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def text(value):
    return b"\0" if value is None else varint(len(value.encode()) + 1) + value.encode()


def listed(items):
    return b"\0" if items is None else varint(len(items) + 1) + b"".join(items)


class Reader:
    def __init__(self, body):
        self.body, self.at = body, 0

    def read(self, form):
        values = struct.unpack_from(form, self.body, self.at)
        self.at += struct.calcsize(form)
        return values if len(values) > 1 else values[0]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.read(">B")
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def skip_text(self):
        size = self.varint() - 1
        self.at += max(size, 0)

    def skip_tags(self):
        for _ in range(self.varint()):
            self.varint()  # its number
            size = self.varint()
            self.at += size


class Member:
    def __init__(self, node, group):
        self.group, self.id = group, str(uuid.uuid4())
        self.socket = socket.create_connection(("127.0.0.1", node.port), 60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input = b""
        self.epoch, self.owned = 0, frozenset()
        self.waits = False  # for an answer

    def beat(self, acknowledge=False):
        owned = None
        if acknowledge or self.epoch == 0:
            by_topic = collections.defaultdict(list)
            for topic, partition in sorted(self.owned):
                by_topic[topic].append(struct.pack(">i", partition))
            owned = [topic + listed(partitions) + b"\0" for topic, partitions in by_topic.items()]
        joins = self.epoch == 0
        body = (text(self.group) + text(self.id) + struct.pack(">i", self.epoch) + text(None) + text(None) +
                struct.pack(">i", REBALANCE_TIMEOUT_MS if joins else -1) + listed([text("bench")] if joins else None) +
                text(None) + text(None) + listed(owned) + b"\0")
        request = struct.pack(">hhih", HEARTBEAT, 1, 1, 5) + b"bench\0" + body
        self.socket.sendall(struct.pack(">i", len(request)) + request)
        self.waits = True

    def answers(self):
        """The complete answers that have come."""
        data = self.socket.recv(1 << 18)
        if not data:
            raise RuntimeError("the broker closed a member's connection")
        self.input += data
        while len(self.input) >= 4:
            size, = struct.unpack_from(">i", self.input)
            if len(self.input) < 4 + size:
                return
            body, self.input = self.input[4:4 + size], self.input[4 + size:]
            yield body

    def take(self, body):
        """(error, seconds until the next heartbeat, whether what it owns has changed)"""
        reader = Reader(body)
        reader.at = 4  # correlation id
        reader.skip_tags()
        reader.read(">i")
        error = reader.read(">h")
        reader.skip_text()
        reader.skip_text()
        epoch, interval_ms, has_assignment = reader.read(">iib")
        self.waits = False
        if error:
            return error, RETRY_S, False
        self.epoch = epoch
        before = self.owned
        if has_assignment == 1:
            owned = set()
            for _ in range(reader.varint() - 1):
                topic = reader.body[reader.at:reader.at + 16]
                reader.at += 16
                owned.update((topic, reader.read(">i")) for _ in range(reader.varint() - 1))
                reader.skip_tags()
            self.owned = frozenset(owned)
        return 0, interval_ms / 1000, self.owned != before


def is_stable(members):
    """All are in one epoch, and own every partition, each as many as any other."""
    low = PARTITIONS // len(members)
    return (len({member.epoch for member in members}) == 1 and members[0].epoch > 0
            and all(low <= len(member.owned) <= low + 1 for member in members)
            and len(frozenset().union(*(member.owned for member in members))) == PARTITIONS)


def form(node, size, within=120):
    members = [Member(node, f"consumers{size}") for _ in range(size)]
    poll = selectors.DefaultSelector()
    for member in members:
        poll.register(member.socket, selectors.EVENT_READ, member)
    began = time.monotonic()
    due = []  # (when, order, member)
    order = 0
    for member in members:
        member.beat()
    while True:
        now = time.monotonic()
        if now - began > within:
            raise RuntimeError(f"{size} members of the consumer protocol have no stable assignment after {within} s")
        while due and due[0][0] <= now:
            heapq.heappop(due)[2].beat()
        changed = False
        for key, _ in poll.select(min(due[0][0] - now, 0.1) if due else 0.1):
            member = key.data
            for body in member.answers():
                error, pause, moved = member.take(body)
                if error and error not in RETRIABLE:
                    raise RuntimeError(f"error {error} to a heartbeat")
                changed = True
                if moved:
                    member.beat(acknowledge=True)
                else:
                    order += 1
                    heapq.heappush(due, (time.monotonic() + pause, order, member))
        if changed and not any(member.epoch == 0 for member in members) and is_stable(members):
            break
    took = time.monotonic() - began
    for member in members:
        member.socket.close()
    return {f"{size:,} members, consumer protocol": took}
