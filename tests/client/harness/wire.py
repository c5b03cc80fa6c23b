"""Just enough of the protocol to say wrong things on purpose: requests are made byte by byte, answers read
by hand. Only non-flexible versions, but for the ApiVersions fallback."""

import socket
import struct
import time
import zlib


class Closed(Exception):
    """The node closed the connection."""


def string(text):
    if text is None:
        return struct.pack(">h", -1)
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def array(items):
    return struct.pack(">i", len(items)) + b"".join(items)


def octets(data):
    return struct.pack(">i", len(data)) + data


def frame(key, version, body, correlation=1, client="wire"):
    payload = struct.pack(">hhi", key, version, correlation) + string(client) + body
    return struct.pack(">i", len(payload)) + payload


class Connection:
    def __init__(self, node, timeout=20):
        self.socket = socket.create_connection(("127.0.0.1", node.port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = self.socket.getsockname()[1]
        self.correlation = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Closed() from error

    def exactly(self, size):
        data = b""
        while len(data) < size:
            try:
                more = self.socket.recv(size - len(data))
            except ConnectionError as error:
                raise Closed() from error
            if not more:
                raise Closed()
            data += more
        return data

    def receive(self):
        """(correlation id, body) of the next answer. Raises Closed, or TimeoutError."""
        size, = struct.unpack(">i", self.exactly(4))
        data = self.exactly(size)
        return struct.unpack_from(">i", data)[0], data[4:]

    def ask(self, key, version, body):
        self.correlation += 1
        self.send(frame(key, version, body, self.correlation))
        correlation, answer = self.receive()
        if correlation != self.correlation:
            raise AssertionError(f"answer {correlation} to request {self.correlation}")
        return answer

    def closed_within(self, seconds):
        """True if the node closes the connection, and sends nothing before that."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False


# --- records -------------------------------------------------------------------------------------

_TABLE = []
for _n in range(256):
    for _ in range(8):
        _n = (_n >> 1) ^ (0x82F63B78 if _n & 1 else 0)
    _TABLE.append(_n)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def varint(value):
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while True:
        byte = value & 0x7F
        value >>= 7
        if value:
            out.append(byte | 0x80)
        else:
            out.append(byte)
            return bytes(out)


def record(i, key, value):
    body = b"\0" + varint(0) + varint(i)
    for part in (key, value):
        body += varint(-1) if part is None else varint(len(part)) + part
    body += varint(0)
    return varint(len(body)) + body


def batch(records=((b"k", b"v"),), codec=0, payload=None, count=None, magic=2, base=0, spoil_crc=False, producer=(-1, -1, -1)):
    """A record batch v2. `payload` replaces the record section as it is."""
    if payload is None:
        payload = b"".join(record(i, k, v) for i, (k, v) in enumerate(records))
    count = len(records) if count is None else count
    now = int(time.time() * 1000)
    body = struct.pack(">hiqqqhii", codec, count - 1, now, now, *producer, count) + payload
    crc = crc32c(body) ^ (1 if spoil_crc else 0)
    return struct.pack(">qiibI", base, 9 + len(body), -1, magic, crc) + body


def gzip_zeros(size):
    """A gzip stream of `size` zero bytes, made in pieces."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    chunk = bytes(1 << 20)
    return b"".join(packer.compress(chunk) for _ in range(size >> 20)) + packer.flush()


# --- requests ------------------------------------------------------------------------------------

PRODUCE, FETCH, LIST_OFFSETS, METADATA, API_VERSIONS, CREATE_TOPICS = 0, 1, 2, 3, 18, 19


def create_topic(connection, name, partitions=1, configs=None, replicas=1):
    wanted = string(name) + struct.pack(">ih", partitions, replicas) + array([]) + array(
        [string(k) + string(v) for k, v in (configs or {}).items()])
    answer = connection.ask(CREATE_TOPICS, 2, array([wanted]) + struct.pack(">ib", 20000, 0))
    at = 8 + 2 + struct.unpack_from(">h", answer, 8)[0]
    return struct.unpack_from(">h", answer, at)[0]


def produce_body(topic, data, acks=1, partition=0):
    return string(None) + struct.pack(">hi", acks, 20000) + array(
        [string(topic) + array([struct.pack(">i", partition) + octets(data)])])


def produce(connection, topic, data, acks=1, partition=0):
    """(error code, base offset)"""
    answer = connection.ask(PRODUCE, 7, produce_body(topic, data, acks, partition))
    at = 4 + 2 + len(topic.encode()) + 4 + 4
    return struct.unpack_from(">hq", answer, at)


def fetch_body(topic, offset, partition=0, bytes_max=1 << 20, wait_ms=500, bytes_min=1):
    return struct.pack(">iiiib", -1, wait_ms, bytes_min, bytes_max, 0) + array(
        [string(topic) + array([struct.pack(">iqi", partition, offset, bytes_max)])])


def fetch(connection, topic, offset, **options):
    """(error code, high watermark, record bytes)"""
    answer = connection.ask(FETCH, 4, fetch_body(topic, offset, **options))
    at = 4 + 4 + 2 + len(topic.encode()) + 4 + 4
    error, high, _, aborted = struct.unpack_from(">hqqi", answer, at)
    at += 22 + max(aborted, 0) * 16
    size, = struct.unpack_from(">i", answer, at)
    return error, high, answer[at + 4:at + 4 + max(size, 0)]


def metadata(connection, topics=None):
    return connection.ask(METADATA, 1, struct.pack(">i", -1) if topics is None else array([string(t) for t in topics]))


def api_versions(connection):
    """{key: (min, max)}"""
    answer = connection.ask(API_VERSIONS, 0, b"")
    error, count = struct.unpack_from(">hi", answer)
    assert error == 0, error
    return {k: (low, high) for k, low, high in (struct.unpack_from(">hhh", answer, 6 + 6 * i) for i in range(count))}
