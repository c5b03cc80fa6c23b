"""What the Python clients share. What a client has to do and to print is in tests/client/README.md."""

import os
import sys
import time
from collections import namedtuple

Job = namedtuple("Job", "bootstrap topic group count")
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
REPLICAS = int(os.environ.get("REPLICAS", "1"))  # of a new topic; there are as many brokers


def key(codec, i):
    return f"{codec}-{i}"


def value(codec, i):
    return f"{key(codec, i)}:{'moldau ' * (i % 40)}"


def headers(codec, i):
    return [("codec", codec.encode()), ("trace", key(codec, i).encode())]


def done(what):
    print("done", what, sep="\t", flush=True)


def read(partition, offset, key, value, headers):
    pairs = ";".join(sorted(f"{k}={v.decode()}" for k, v in headers))
    print("read", partition, offset, key.decode(), value.decode(), pairs, sep="\t", flush=True)


def committed(partition, offset):
    print("committed", partition, offset, sep="\t", flush=True)


def check(ok, what):
    if not ok:
        raise AssertionError(what)


def check_brokers(count):
    """One of several may be starting anew."""
    check(count == REPLICAS or 1 <= count == REPLICAS - 1, f"{count} brokers")


def eventually(read, want, what):
    """Kafka answers before its brokers have applied a change."""
    for _ in range(50):
        if read() == want:
            return
        time.sleep(0.1)
    check(False, f"{what}: {read()}, not {want}")


def job():
    """(phase, Job) from the command line: PROGRAM first|rest BOOTSTRAP TOPIC GROUP COUNT"""
    phase, bootstrap, topic, group, count = sys.argv[1:]
    return phase, Job(bootstrap, topic, group, int(count))
