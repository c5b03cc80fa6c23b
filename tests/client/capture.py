#!/usr/bin/env python3
"""Keeps request frames of real clients as test data: a proxy between a client and a node.

    tests/client/capture.py LISTEN_PORT NODE_PORT OUT.txt

Run the node with --set advertised.listeners=PLAINTEXT://127.0.0.1:LISTEN_PORT and point the client
at LISTEN_PORT. The first frame of each API and version goes to OUT.txt, a line of hex each, without
the size prefix; end it with Ctrl-C or SIGTERM. common/wire/captured_frames_test.cc reads the files.
"""

import selectors
import signal
import socket
import struct
import sys

FRAME_MAX = 4096  # longer ones teach nothing more


class Recorder:
    def __init__(self, path):
        self.path = path
        self.frames = {}

    def add(self, frame):
        key, version = struct.unpack(">hh", frame[:4])
        if len(frame) <= FRAME_MAX:
            self.frames.setdefault((key, version), frame)

    def save(self):
        with open(self.path, "w", encoding="ascii") as out:
            for _, frame in sorted(self.frames.items()):
                out.write(frame.hex() + "\n")


class Pair:
    """Two sockets, and what the client has sent of a frame that is not whole yet."""

    def __init__(self, client, node, recorder):
        self.client, self.node, self.recorder = client, node, recorder
        self.pending = b""

    def from_client(self, data):
        self.pending += data
        while len(self.pending) >= 4:
            size = struct.unpack(">i", self.pending[:4])[0]
            if len(self.pending) < 4 + size:
                return
            self.recorder.add(self.pending[4:4 + size])
            self.pending = self.pending[4 + size:]


def main(listen_port, node_port, path):
    recorder = Recorder(path)

    def end(*_):
        recorder.save()
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    selector = selectors.DefaultSelector()
    listener = socket.create_server(("127.0.0.1", listen_port), backlog=64)
    selector.register(listener, selectors.EVENT_READ, None)
    while True:
        for key, _ in selector.select():
            if key.data is None:
                client, _ = listener.accept()
                pair = Pair(client, socket.create_connection(("127.0.0.1", node_port)), recorder)
                selector.register(client, selectors.EVENT_READ, pair)
                selector.register(pair.node, selectors.EVENT_READ, pair)
                continue
            pair = key.data
            if key.fileobj.fileno() < 0:
                continue  # closed by the other side's event of this turn
            try:
                data = key.fileobj.recv(1 << 16)
                if data and key.fileobj is pair.client:
                    pair.from_client(data)
                if data:
                    (pair.node if key.fileobj is pair.client else pair.client).sendall(data)
            except OSError:
                data = b""
            if not data:
                for each in (pair.client, pair.node):
                    selector.unregister(each)
                    each.close()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
