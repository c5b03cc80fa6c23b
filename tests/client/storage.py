"""What the disk has to bear: a partition directory that Apache Kafka wrote, and a disk that is full."""

import os
import shutil
import subprocess
import time

from harness import deps, wire
from harness.deps import Missing
from harness.proc import run
from harness.suite import Failed, check, equal
from harness.wire import Connection
from tools import Tools

TOPIC = "takeover"
PARTITIONS = 2
# Retriable for a client: it tries again and loses nothing.
RETRIABLE = {2, 3, 5, 6, 7, 9, 13, 19, 20, 56, 72, 74, 75, 76, 78, 80}


def dump(node):
    """Every record of the topic as kcat sees it: sorted lines of JSON, by partition and offset."""
    out = run([deps.kcat(True), "-b", node.bootstrap, "-q", "-C", "-t", TOPIC, "-J", "-e", "-o", "beginning"], timeout=60).out
    lines = [line for line in out.splitlines() if line.startswith("{")]
    return sorted(lines, key=lambda line: (line.split('"partition":')[1].split(",")[0],
                                           int(line.split('"offset":')[1].split(",")[0])))


def offsets_by_time(node, times):
    topics = [wire.string(TOPIC) + wire.array([wire.struct.pack(">iq", p, t) for p in range(PARTITIONS)]) for t in times]
    with Connection(node) as c:
        return [c.ask(wire.LIST_OFFSETS, 1, wire.struct.pack(">i", -1) + wire.array([topic])) for topic in topics]


def wait_for_topic(node, topic):
    with Connection(node) as c:
        for _ in range(100):
            if wire.fetch(c, topic, 0, wait_ms=0)[0] != 3:
                return
            time.sleep(0.1)
    raise Failed(f"{topic} does not come")


def takeover(context, killed):
    """Apache Kafka writes; its partition directories, as they lie there after its end, become Moldau's."""
    kafka = context.new_kafka()
    tools = Tools(kafka.lib, kafka.bootstrap, kafka.folder)
    kafka.start()
    with Connection(kafka) as c:
        equal(wire.create_topic(c, TOPIC, PARTITIONS, {"segment.bytes": "1048576", "retention.ms": "-1"}), 0, "the topic in Kafka")
    wait_for_topic(kafka, TOPIC)
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        tools.fill(TOPIC, [f"{codec}{i}:value {i}" for i in range(50)], "--compression-codec", codec)
    tools.out("kafka-producer-perf-test", "--topic", TOPIC, "--num-records", "4000", "--record-size", "1000", "--throughput",
              "-1", "--producer-props", f"bootstrap.servers={kafka.bootstrap}", "acks=all", bootstrap=False)
    want = dump(kafka)
    equal(len(want), 4250, "records in Kafka")
    times = [1, int(time.time() * 1000) - 3000, *(int(want[i].split('"ts":')[1].split(",")[0]) for i in (100, 2500, 4100))]
    want_times = offsets_by_time(kafka, times)
    kafka.kill() if killed else kafka.stop()

    ours = context.new_node()
    ours.start()
    with Connection(ours) as c:
        equal(wire.create_topic(c, TOPIC, PARTITIONS, {"segment.bytes": "1048576", "retention.ms": "-1"}), 0, "the topic here")
    wait_for_topic(ours, TOPIC)
    ours.stop()
    files = 0
    for partition in range(PARTITIONS):
        folder = ours.partition_folder(TOPIC, partition)
        for name in os.listdir(folder):
            os.remove(os.path.join(folder, name))
        # partition.metadata holds the id the topic had there; without it a directory is adopted.
        source = kafka.partition_folder(TOPIC, partition)
        for name in os.listdir(source):
            if name != "partition.metadata":
                shutil.copy2(os.path.join(source, name), folder)
                files += 1
    took = ours.start()
    got = dump(ours)
    equal(len(got), len(want), "records served")
    wrong = next((i for i in range(len(want)) if got[i] != want[i]), None)
    check(wrong is None, f"record {wrong}:\n{got[wrong or 0][:300]}\n{want[wrong or 0][:300]}")
    equal(offsets_by_time(ours, times), want_times, "offsets by time")
    with Connection(ours) as c:  # and the log goes on behind them
        for partition in range(PARTITIONS):
            error, offset = wire.produce(c, TOPIC, wire.batch(), partition=partition)
            held = sum(f'"partition":{partition},' in line for line in want)
            equal((error, offset), (0, held), f"the next record of partition {partition}")
    ours.restart()
    equal(len(dump(ours)), len(want) + PARTITIONS, "records after a restart of ours")
    ours.stop()
    return f"{files} files, {len(want)} records, ready in {took:.2f} s"


class SmallDisk:
    """A tmpfs of its own, with ballast that can be thrown out. Needs root."""

    def __init__(self, folder, size_mib, ballast_mib):
        if os.geteuid() != 0:
            raise Missing("a small tmpfs needs root")
        self.folder = os.path.join(folder, "disk")
        os.makedirs(self.folder)
        result = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", self.folder],
                                capture_output=True, text=True)
        if result.returncode:
            raise Missing("no tmpfs can be mounted here: " + result.stderr.strip())
        self.ballast = os.path.join(self.folder, "ballast")
        with open(self.ballast, "wb") as file:
            file.write(bytes(ballast_mib << 20))

    def throw_out_ballast(self):
        os.remove(self.ballast)

    def unmount(self):
        subprocess.run(["umount", "-l", self.folder], capture_output=True)


def fill_until_refused(node, payload):
    """Produces until an error. Returns (base offsets of what was acknowledged, the error)."""
    kept = []
    with Connection(node) as c:
        for i in range(400):
            error, offset = wire.produce(c, "full", wire.batch([(str(i).encode(), payload)]), acks=-1)
            if error:
                return kept, error
            kept.append(offset)
    raise Failed("400 records of 128 KiB fitted on a disk of 48 MiB")


def full_disk(context):
    """Produce gets a retriable error and never a false success, reads go on; with space there is service again."""
    disk = SmallDisk(context.new_folder(), 48, 24)
    try:
        node = context.new_node(data=os.path.join(disk.folder, "data"))
        os.makedirs(node.data)
        node.start()
        payload = os.urandom(128 << 10)
        with Connection(node) as c:
            equal(wire.create_topic(c, "full", 1, {"segment.bytes": str(4 << 20)}), 0, "creating the topic")
        wait_for_topic(node, "full")
        kept, error = fill_until_refused(node, payload)
        check(error in RETRIABLE, f"error {error} on a full disk is not retriable")
        check(kept, "nothing was stored at all")
        check(node.alive(), "the node died of a full disk:\n" + node.log()[-2000:])
        with Connection(node) as c:
            error, high, data = wire.fetch(c, "full", 0)
            check(error == 0 and len(data) > 100000, f"reading on a full disk: error {error}, {len(data)} bytes")
            wire.metadata(c)
            again, _ = wire.produce(c, "full", wire.batch([(b"again", payload)]), acks=-1)
            check(again in RETRIABLE, f"error {again} the second time is not retriable")
        disk.throw_out_ballast()
        began = time.monotonic()
        while True:
            with Connection(node) as c:
                error, offset = wire.produce(c, "full", wire.batch([(b"after", payload)]), acks=-1)
            if error == 0:
                break
            check(error in RETRIABLE, f"error {error} after space was freed")
            check(time.monotonic() - began < 20, f"no service 20 s after space was freed: error {error}")
            time.sleep(0.1)
        waited = time.monotonic() - began
        kept.append(offset)
        equal(kept, sorted(set(kept)), "offsets of what was acknowledged")
        for restarted in (False, True):
            with Connection(node) as c:
                for i, offset in enumerate(kept):
                    error, high, data = wire.fetch(c, "full", offset, bytes_max=1000)
                    check(error == 0 and len(data) >= 61, f"offset {offset}: error {error}, end {high}")
                    base, = wire.struct.unpack_from(">q", data)
                    equal(base, offset, "the offset of an acknowledged record")
            if not restarted:
                node.restart()
        node.stop()
        return f"{len(kept)} records kept, service again after {waited:.1f} s"
    finally:
        disk.unmount()


def run_storage(suite, context):
    if context.against == "kafka":
        return  # the oracle halts on a full disk, and its directories are the material here
    suite.run("takeover: a partition directory of a Kafka that was stopped", lambda: takeover(context, killed=False))
    suite.run("takeover: a partition directory of a Kafka that was killed", lambda: takeover(context, killed=True))
    suite.run("full disk: retriable errors, reads go on, service again with space", lambda: full_disk(context))
