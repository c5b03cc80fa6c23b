"""What transactions and the cleaner cost a broker."""

import json
import os
import struct
import subprocess
import time

from harness import deps, wire
from harness.wire import Connection, array, string

from grouping.common import bench_load, cpu_of

INCREMENTAL_ALTER_CONFIGS = 44
SEGMENT_BYTES = 100 << 20


def create(node, topic, partitions, configs):
    with Connection(node, 60) as c:
        error = wire.create_topic(c, topic, partitions, configs)
    if error:
        raise RuntimeError(f"creating {topic}: error {error}")


def transactions(node, args):
    """1 KiB records, 20 MB/s, one commit every 100 ms."""
    create(node, "transactions", 6, {})
    result = bench_load(node, args, "transact", "transactions", "--records", 2000, "--seconds", args.seconds,
                        "--warm-seconds", args.seconds / 2)
    return {"transactions, CPU per GB": result["broker_cpu_s"] / result["bytes"] * 1e9,
            "transactions, commit p50": result["commit_p50_ms"], "transactions, commit p99": result["commit_p99_ms"]}


def java_commits(bootstrap, topic, records, warm_seconds, seconds):
    """Commits.java: so many records, evenly over 100 ms, then a commit, for so many seconds."""
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Commits.java")
    run = ["java", "-cp", os.path.join(deps.kafka_lib(False), "*"), program, bootstrap, topic, str(records),
           str(warm_seconds), str(seconds)]
    done = subprocess.run(run, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(run)}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def java_transactions(node, args):
    """The same load from Apache Kafka's own producer, which has no pace of its own in a commit."""
    create(node, "java-transactions", 6, {})
    result = java_commits(node.bootstrap, "java-transactions", 2000, args.seconds / 2, args.seconds)
    return {"transactions of Kafka's producer, commit p50": result["p50_ms"],
            "transactions of Kafka's producer, commit p99": result["p99_ms"]}


def make_compacted(node, topic):
    """The policy of the topic becomes "compact", and all of it is dirty."""
    configs = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01"}
    # Not flexible in version 0: resources of type 2 (topic), operation 0 (set).
    rows = [string(key) + b"\0" + string(value) for key, value in configs.items()]
    body = array([b"\2" + string(topic) + array(rows)]) + b"\0"
    with Connection(node, 60) as c:
        answer = c.ask(INCREMENTAL_ALTER_CONFIGS, 0, body)
    error, = struct.unpack_from(">h", answer, 8)
    if error:
        raise RuntimeError(f"making {topic} compacted: error {error}")


def cleaned_up_to(node, topic):
    """What cleaner-offset-checkpoint says; both write it."""
    try:
        with open(os.path.join(node.logs, "cleaner-offset-checkpoint")) as file:
            for line in file:
                words = line.split()
                if words[:2] == [topic, "0"]:
                    return int(words[2])
    except (OSError, ValueError, IndexError):
        pass
    return 0


def active_segment(node, topic):
    names = os.listdir(node.partition_folder(topic, 0))
    return max(int(name[:-4]) for name in names if name.endswith(".log"))


def size_of(node, topic):
    folder = node.partition_folder(topic, 0)
    return sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder) if name.endswith(".log"))


def compaction(node, args):
    """Records of 100 B with random keys, written while the topic is not compacted; then it is, and the broker's CPU is read
    from there until the checkpoint of the cleaner is at the active segment."""
    topic, records = "compacted", int(args.compact_gb * 1e9 / 100)
    create(node, topic, 1, {"segment.bytes": str(SEGMENT_BYTES)})
    bench_load(node, args, "produce", topic, "--records", records, "--size", 92, "--keys", args.keys,
               "--set", "acks=1", "--set", "linger.ms=50", "--set", "batch.size=262144", "--set", "batch.num.messages=10000")
    time.sleep(3)
    end, before_bytes = active_segment(node, topic), size_of(node, topic)
    before, began = cpu_of(node), time.monotonic()
    make_compacted(node, topic)
    while cleaned_up_to(node, topic) < end:
        if time.monotonic() - began > 300:
            raise RuntimeError(f"{topic} is cleaned up to {cleaned_up_to(node, topic)} of {end} after 300 s")
        time.sleep(0.02)
    cpu, took = cpu_of(node) - before, time.monotonic() - began
    left = size_of(node, topic)
    if left > before_bytes * 0.9:
        raise RuntimeError(f"{left} of {before_bytes} bytes are left: nothing was cleaned")
    return {"compaction, records per CPU second": end / cpu / 1e3, "compaction, wall time": took,
            "compaction, left": left / before_bytes * 100}
