"""A member of the classic group protocol, request by request."""

import struct

from harness import wire
from harness.wire import array, string

JOIN, HEARTBEAT, SYNC = 11, 12, 14


class Member:
    def __init__(self, c, group, topic, session_ms, rebalance_ms):
        self.c, self.group, self.topic, self.times = c, group, topic, (session_ms, rebalance_ms)
        self.id, self.members = "", []

    def body(self):
        return string(self.group) + struct.pack(">ii", *self.times) + string(self.id) + string("consumer") + array(
            [string("range") + wire.octets(b"\0\0" + array([string(self.topic)]) + b"\xff\xff\xff\xff")])

    def send(self):
        self.c.send(wire.frame(JOIN, 2, self.body()))

    def receive(self):
        return self.take(self.c.receive()[1])

    def join(self):
        return self.take(self.c.ask(JOIN, 2, self.body()))

    def take(self, answer):
        """The error; the leader alone is told who the members are."""
        error, self.generation = struct.unpack_from(">hi", answer, 4)
        at, words = 10, []
        for _ in range(3):  # protocol, leader, member id
            size, = struct.unpack_from(">h", answer, at)
            words.append(answer[at + 2:at + 2 + size].decode())
            at += 2 + size
        self.leader, self.id = words[1], words[2] or self.id
        count, = struct.unpack_from(">i", answer, at)
        self.members, at = [], at + 4
        for _ in range(count):
            size, = struct.unpack_from(">h", answer, at)
            self.members.append(answer[at + 2:at + 2 + size].decode())
            at += 2 + size
            at += 4 + struct.unpack_from(">i", answer, at)[0]
        return error

    def leads(self):
        return self.leader == self.id

    def sync(self):
        given = [string(member) + wire.octets(b"all") for member in self.members]
        body = string(self.group) + struct.pack(">i", self.generation) + string(self.id) + array(given)
        return struct.unpack_from(">h", self.c.ask(SYNC, 1, body), 4)[0]

    def beat(self):
        body = string(self.group) + struct.pack(">i", self.generation) + string(self.id)
        return struct.unpack_from(">h", self.c.ask(HEARTBEAT, 1, body), 4)[0]
