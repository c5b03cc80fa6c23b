"""Wrong bytes on a real socket: the node answers or closes as the protocol says, the others are served as
before, memory stays bounded, and the node says who it was and why."""

import os
import random
import resource
import socket
import struct
import threading
import time

from harness import wire
from harness.suite import check, equal, run_on_a_node
from harness.wire import Closed, Connection

MIB = 1 << 20
CORRUPT_MESSAGE, UNKNOWN_TOPIC, MESSAGE_TOO_LARGE, INVALID_REQUIRED_ACKS, UNSUPPORTED_VERSION, INVALID_RECORD = (
    2, 3, 10, 21, 35, 87)
UNSUPPORTED_FOR_MESSAGE_FORMAT = 43


class BadInput:
    def __init__(self, node):
        self.node = node
        with Connection(node) as c:
            equal(wire.create_topic(c, "bad", 1), 0, "creating the topic")
            equal(wire.create_topic(c, "bad.compact", 1, {"cleanup.policy": "compact"}), 0, "creating the compacted topic")
            self.produce_when_ready(c, "bad")
            self.produce_when_ready(c, "bad.compact")

    @staticmethod
    def produce_when_ready(c, topic):
        for _ in range(100):
            error, _ = wire.produce(c, topic, wire.batch())
            if error == 0:
                return
            time.sleep(0.1)
        check(False, f"{topic} takes no records: error {error}")

    def probe(self):
        """Another client's round trip of a produce, in milliseconds: the worst of five on one connection."""
        with Connection(self.node) as c:
            worst = 0
            for _ in range(5):
                began = time.monotonic()
                error, _ = wire.produce(c, "bad", wire.batch())
                equal(error, 0, "another client's produce")
                worst = max(worst, time.monotonic() - began)
            check(worst < 2, f"another client's produce took {worst:.2f} s")
            return worst * 1000

    def says(self, port, why):
        """Moldau's log names the peer."""
        if self.node.name != "moldau":
            return
        time.sleep(0.12)  # ten lines of a kind in a second, no more: the next one has room then
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            if any(f"127.0.0.1:{port}" in line for line in self.node.log().splitlines()):
                return
            time.sleep(0.05)
        check(False, f"the log does not name 127.0.0.1:{port} ({why})")

    def must_close(self, data, why, said=True):
        with Connection(self.node) as c:
            try:
                c.send(data)
            except Closed:
                pass
            check(c.closed_within(10), f"{why}: the connection stays open or was answered")
            if said:
                self.says(c.port, why)
        self.probe()

    def frame_sizes(self):
        self.must_close(struct.pack(">i", -1), "a negative frame size")
        self.must_close(struct.pack(">i", -(1 << 31)) + b"x", "the most negative frame size")
        before = self.node.memory()
        self.must_close(struct.pack(">i", (1 << 31) - 1) + bytes(1000), "a frame of 2 GiB")
        self.must_close(struct.pack(">i", 101 * MIB) + bytes(1000), "a frame over socket.request.max.bytes")
        self.must_close(struct.pack(">i", 0), "an empty frame")
        self.must_close(struct.pack(">i", 3) + b"abc", "a frame too short for a header")
        return f"memory grew by {(self.node.memory() - before) // 1024} KiB"

    def truncated(self):
        """Half a frame, then the end of the stream, or nothing more: nobody else notices."""
        whole = wire.frame(wire.PRODUCE, 7, wire.produce_body("bad", wire.batch()))
        for size in (1, 3, 4, 5, 12, len(whole) // 2, len(whole) - 1):
            with Connection(self.node) as c:
                c.send(whole[:size])
        # Apache Kafka believes each promise and runs out of its heap by twenty of these.
        held = [Connection(self.node) for _ in range(5 if self.node.name == "kafka" else 50)]
        for c in held:
            c.send(struct.pack(">i", 50 * MIB) + bytes(100))  # promises 50 MiB, sends 100 bytes
        latency = self.probe()
        if self.node.name == "moldau":
            check(self.node.memory() < 512 * MIB, f"promises are not memory: {self.node.memory() // MIB} MiB")
        for c in held:
            c.socket.close()
        return f"others: {latency:.1f} ms"

    def unknown_keys(self):
        self.must_close(wire.frame(999, 0, b""), "an unknown key")
        self.must_close(wire.frame(-1, 0, b""), "a negative key")
        self.must_close(wire.frame(wire.METADATA, 99, b""), "an unknown version")
        self.must_close(wire.frame(wire.METADATA, -1, b""), "a negative version")
        self.must_close(wire.frame(4, 0, b""), "a key that was removed (LeaderAndIsr)")

    def api_versions_fallback(self):
        with Connection(self.node) as c:
            known = wire.api_versions(c)
            answer = c.ask(wire.API_VERSIONS, 99, b"\0" + b"\xff" * 20)
            error, count = struct.unpack_from(">hi", answer)
            equal(error, UNSUPPORTED_VERSION, "the error")
            listed = {struct.unpack_from(">hhh", answer, 6 + 6 * i)[0] for i in range(count)}
            check(wire.API_VERSIONS in listed, f"the list has ApiVersions: {listed}")
            check(len(known) > 20, f"{len(known)} APIs advertised")
            check(wire.api_versions(c) == known, "the connection goes on")

    def absurd_arrays(self):
        before = self.node.memory()
        for count in ((1 << 31) - 1, 1 << 24):
            self.must_close(wire.frame(wire.METADATA, 1, struct.pack(">i", count)), f"{count} topics in Metadata")
            body = wire.string(None) + struct.pack(">hii", 1, 1000, count)
            self.must_close(wire.frame(wire.PRODUCE, 7, body), f"{count} topics in Produce")
            body = struct.pack(">iiiibi", -1, 0, 0, 1000, 0, count)
            self.must_close(wire.frame(wire.FETCH, 4, body), f"{count} topics in Fetch")
        body = wire.string(None) + struct.pack(">hi", 1, 1000) + wire.array(
            [wire.string("bad") + wire.array([struct.pack(">ii", 0, (1 << 31) - 1)])])
        self.must_close(wire.frame(wire.PRODUCE, 7, body), "2 GiB of records in a small frame")
        self.must_close(wire.frame(wire.METADATA, 9, b"\0" + b"\xff\xff\xff\xff\x07" + bytes(5)), "a compact array of 2 G")
        self.must_close(wire.frame(wire.METADATA, 9, b"\0" + b"\xff" * 12), "a varint without an end")
        grown = self.node.memory() - before
        if self.node.name == "moldau":
            check(grown < 32 * MIB, f"memory grew by {grown // MIB} MiB")

    def acks_zero(self):
        with Connection(self.node) as c:
            c.send(wire.frame(wire.PRODUCE, 7, wire.produce_body("bad", wire.batch(), acks=0)))
            wire.metadata(c)  # the next answer is the next request's
        with Connection(self.node) as c:
            c.send(wire.frame(wire.PRODUCE, 7, wire.produce_body("bad", wire.batch(spoil_crc=True), acks=0)))
            check(c.closed_within(10), "acks=0 with an error closes the connection, without an answer")
        with Connection(self.node) as c:
            c.send(wire.frame(wire.PRODUCE, 7, wire.produce_body("no.such-" * 3, wire.batch(), acks=0, partition=77)))
            check(c.closed_within(10), "acks=0 to an unknown partition closes the connection")

    def bad_batches(self):
        good = wire.batch()
        cases = [
            ("a wrong CRC", wire.batch(spoil_crc=True), {CORRUPT_MESSAGE}),
            ("a flipped byte of the value", good[:-2] + bytes([good[-2] ^ 1]) + good[-1:], {CORRUPT_MESSAGE}),
            ("half a batch", good[:40], {CORRUPT_MESSAGE, INVALID_RECORD}),
            ("two batches", good + good, {INVALID_RECORD}),
            ("magic 1", wire.batch(magic=1), {INVALID_RECORD, CORRUPT_MESSAGE, UNSUPPORTED_FOR_MESSAGE_FORMAT}),
            ("magic 9", wire.batch(magic=9), {INVALID_RECORD, CORRUPT_MESSAGE, UNSUPPORTED_FOR_MESSAGE_FORMAT}),
            ("a count that is not its records'", wire.batch(count=5), {INVALID_RECORD, CORRUPT_MESSAGE}),
            ("no records", wire.batch(records=(), payload=b"", count=0), {INVALID_RECORD, CORRUPT_MESSAGE}),
            ("base offset 7", wire.batch(base=7), {INVALID_RECORD, CORRUPT_MESSAGE}),
            ("codec 7", wire.batch(codec=7), {INVALID_RECORD, CORRUPT_MESSAGE, 76, -1 if self.node.name == "kafka" else 76}),
            ("a control batch", wire.batch(codec=0x20), {INVALID_RECORD}),
            ("a batch over max.message.bytes", wire.batch([(b"k", bytes(1100000))]), {MESSAGE_TOO_LARGE}),
        ]
        with Connection(self.node) as c:
            # By answers to acks=all: a high watermark may lag behind what was sent with acks=0.
            error, before = wire.produce(c, "bad", good, acks=-1)
            equal(error, 0, "a good batch")
            found = []
            for what, data, allowed in cases:
                try:
                    error, _ = wire.produce(c, "bad", data)
                except Closed:
                    found.append(f"{what}: closed")
                    c.socket.close()
                    c = Connection(self.node)
                    continue
                if error not in allowed:
                    found.append(f"{what}: error {error}, not one of {sorted(allowed)}")
            # Stored as sent: a count that lies inside a batch may pass where records are not walked.
            lies = [f for f in found if self.node.name == "moldau" and f.startswith("a count that is not")]
            equal([f for f in found if f not in lies], [], "wrong answers")
            equal(wire.produce(c, "bad.compact", wire.batch([(None, b"v")]))[0], INVALID_RECORD, "no key, compacted topic")
            equal(wire.produce(c, "bad", wire.batch(), partition=9)[0], UNKNOWN_TOPIC, "an unknown partition")
            equal(wire.produce(c, "bad", wire.batch(), acks=5)[0], INVALID_REQUIRED_ACKS, "acks=5")
            error, after = wire.produce(c, "bad", good, acks=-1)
            stored = after - before - 1
            check(error == 0 and stored <= len(lies) * 5, f"{stored} records of refused batches were stored")
        self.probe()

    def bombs(self):
        before = self.node.memory()
        bomb = wire.gzip_zeros(256 * MIB)
        answers = []
        peak = [0]
        over = threading.Event()

        def watch():
            while not over.wait(0.02):
                peak[0] = max(peak[0], self.node.memory())
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            for topic in ("bad.compact", "bad"):
                with Connection(self.node, timeout=60) as c:
                    began = time.monotonic()
                    error, _ = wire.produce(c, topic, wire.batch(codec=1, payload=bomb, count=1))
                    answers.append(f"{topic}: error {error} in {time.monotonic() - began:.2f} s")
                    if topic == "bad.compact":
                        check(error in (INVALID_RECORD, CORRUPT_MESSAGE, MESSAGE_TOO_LARGE), answers[-1])
                self.probe()
        finally:
            over.set()
            watcher.join()
        grown = max(0, peak[0] - before)
        if self.node.name == "moldau":
            check(grown < 96 * MIB, f"memory grew by {grown // MIB} MiB over {len(bomb)} bytes that say 256 MiB")
        return f"{len(bomb) // 1024} KiB that say 256 MiB; {'; '.join(answers)}; memory grew by {grown // MIB} MiB"

    def garbage(self):
        """Random bodies under true headers of every advertised API and version: the node lives."""
        dice = random.Random(4)
        with Connection(self.node) as c:
            known = wire.api_versions(c)
        for key, (low, high) in sorted(known.items()):
            for version in range(low, high + 1):
                for _ in range(3):
                    body = dice.randbytes(dice.choice((0, 1, 7, 40, 300)))
                    with Connection(self.node, timeout=5) as c:
                        try:
                            c.send(wire.frame(key, version, body))
                            c.socket.settimeout(0.02)
                            c.receive()
                        except (Closed, TimeoutError):
                            pass
            check(self.node.alive(), f"the node died on API {key}:\n{self.node.log()[-2000:]}")
        return f"{len(known)} APIs; others: {self.probe():.1f} ms"

    def pipelined(self):
        """Many requests in one write are answered in their order."""
        with Connection(self.node) as c:
            data = b""
            for i in range(300):
                kind = i % 3
                if kind == 0:
                    data += wire.frame(wire.PRODUCE, 7, wire.produce_body("bad", wire.batch()), i)
                elif kind == 1:
                    data += wire.frame(wire.METADATA, 1, wire.array([wire.string("bad")]), i)
                else:
                    data += wire.frame(wire.FETCH, 4, wire.fetch_body("bad", 0, bytes_max=1000), i)
            c.send(data)
            equal([c.receive()[0] for _ in range(300)], list(range(300)), "the order of the answers")

    def slow_reader(self):
        """Asks for a lot and reads nothing: its answers do not pile up in memory, the others do not wait."""
        with Connection(self.node) as c:
            equal(wire.create_topic(c, "bad.slow"), 0, "creating the topic")
            self.produce_when_ready(c, "bad.slow")
            block = wire.batch([(b"k", bytes(250000))])
            for _ in range(16):
                equal(wire.produce(c, "bad.slow", block)[0], 0, "filling")
        before = self.node.memory()
        slow = [Connection(self.node) for _ in range(8)]
        for c in slow:
            c.socket.settimeout(1)
            for i in range(100):
                try:
                    c.socket.sendall(wire.frame(wire.FETCH, 4, wire.fetch_body("bad.slow", 0, bytes_max=4 * MIB), i))
                except (TimeoutError, OSError):
                    break
        time.sleep(0.5)
        latency = max(self.probe() for _ in range(5))
        grown = self.node.memory() - before
        if self.node.name == "moldau":
            check(grown < 128 * MIB, f"memory grew by {grown // MIB} MiB for readers that do not read")
        # One of them wakes up: it is served still.
        slow[0].socket.settimeout(20)
        equal(slow[0].receive()[0], 0, "the first answer, late")
        for c in slow:
            c.socket.close()
        return f"others: {latency:.1f} ms, memory grew by {grown // MIB} MiB"

    def slow_handshake(self):
        """Connections that send a byte now and then, and others that send nothing."""
        whole = wire.frame(wire.API_VERSIONS, 0, b"")
        silent = [Connection(self.node) for _ in range(100)]
        dripping = [Connection(self.node) for _ in range(100)]
        worst = 0
        for i in range(len(whole)):
            for c in dripping:
                c.send(whole[i:i + 1])
            if i % 4 == 0:
                worst = max(worst, self.probe())
        for c in dripping:
            c.receive()
        for c in silent + dripping:
            c.socket.close()
        return f"others: {worst:.1f} ms"

    def idle(self):
        """10,000 connections that do nothing: the others' latency is unchanged, memory stays bounded."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        count = min(10000, hard - 500)
        quiet = sorted(self.probe() for _ in range(10))[5]
        before = self.node.memory()
        sockets = []
        try:
            for i in range(count):
                s = socket.socket()
                # Another address of the loopback range for every few thousand: ports do not run out.
                s.bind((f"127.0.1.{1 + i // 4000}", 0))
                s.settimeout(10)
                s.connect(("127.0.0.1", self.node.port))
                s.sendall(wire.frame(wire.API_VERSIONS, 0, b"", i))
                s.recv(65536)
                sockets.append(s)
            grown = self.node.memory() - before
            crowded = sorted(self.probe() for _ in range(10))[5]
            if self.node.name == "moldau":
                check(grown < 100 * MIB, f"memory grew by {grown // MIB} MiB for {count} connections")
                check(crowded < 10 * quiet + 20, f"a produce took {quiet:.1f} ms before, {crowded:.1f} ms among them")
            sockets[-1].sendall(wire.frame(wire.API_VERSIONS, 0, b"", 7))
            check(len(sockets[-1].recv(4)) == 4, "an idle one is served still")
        finally:
            for s in sockets:
                s.close()
        return f"{count} connections: {grown // 1024} KiB, others {quiet:.1f} ms before, {crowded:.1f} ms among them"


def run_bad_input(suite, context):
    tests = [
        ("sizes of frames", BadInput.frame_sizes), ("truncated frames", BadInput.truncated),
        ("unknown keys and versions", BadInput.unknown_keys), ("ApiVersions of an unknown version", BadInput.api_versions_fallback),
        ("absurd array lengths", BadInput.absurd_arrays), ("acks=0", BadInput.acks_zero),
        ("bad batches", BadInput.bad_batches), ("pipelined requests", BadInput.pipelined),
        ("random bodies", BadInput.garbage), ("decompression bombs", BadInput.bombs),
        ("a reader that does not read", BadInput.slow_reader), ("slow handshakes", BadInput.slow_handshake),
        ("10,000 idle connections", BadInput.idle),
    ]
    run_on_a_node(suite, context, "bad input", tests, BadInput)
