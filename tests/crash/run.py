#!/usr/bin/env python3
"""kill -9 in a loop under load: what was acknowledged with acks=all is there exactly once and in order.

usage: run.py --moldau BINARY [--rounds N] [--seed N] [--against kafka]

An idempotent producer writes numbered records to four partitions all the while. Each round kills the node at
a moment drawn from the seed, some of them while it starts. At the end every acknowledged record has to be
at the offset that was acknowledged, and the numbers of each partition have to rise without a repetition."""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/client"))
from harness import deps, node as nodes, wire  # noqa: E402
from harness.suite import Suite, check, equal  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
TOPIC, PARTITIONS = "crash", 4
SECONDS = 60  # no new round after these


def worker(phase, node):
    return [deps.python(), os.path.join(HERE, "worker.py"), phase, node.bootstrap, TOPIC, str(PARTITIONS)]


def kill_in_rounds(node, rounds, dice):
    """Returns the seconds from each start to readiness."""
    began = time.monotonic()
    took = []
    for _ in range(rounds):
        if time.monotonic() - began > SECONDS:
            break
        time.sleep(dice.uniform(0.05, 1.2))
        check(node.alive(), "the node died by itself:\n" + node.log()[-3000:])
        node.kill()
        if dice.random() < 0.25:  # killed again while it starts
            process = subprocess.Popen(node.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, start_new_session=True)
            time.sleep(dice.uniform(0, 0.06))
            process.kill()
            process.wait(30)
        took.append(node.start())
    return took


def check_records(acked, records):
    """Returns how many records nobody was told of: kept though never acknowledged, which is allowed."""
    surplus = 0
    for partition in range(PARTITIONS):
        offsets = [offset for p, offset, _ in records if p == partition]
        numbers = [number for p, _, number in records if p == partition]
        equal(offsets, list(range(len(offsets))), f"offsets of partition {partition}")
        repeated = [(a, b) for a, b in zip(numbers, numbers[1:]) if b <= a]
        equal(repeated, [], f"numbers of partition {partition} that do not rise")
        at = dict(zip(numbers, offsets))
        for number, offset in acked[partition].items():
            equal(at.get(number), offset, f"where record {number} of partition {partition}, acknowledged at {offset}, is")
        surplus += len(numbers) - len(acked[partition])
    return surplus


def crash(node, rounds, seed):
    dice = random.Random(seed)
    node.start()
    with wire.Connection(node) as c:
        equal(wire.create_topic(c, TOPIC, PARTITIONS, {"segment.bytes": str(1 << 20)}), 0, "creating the topic")
    with tempfile.TemporaryFile("w+") as out:
        writer = subprocess.Popen(worker("write", node), stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT,
                                  start_new_session=True)
        try:
            took = kill_in_rounds(node, rounds, dice)
            writer.stdin.close()
            writer.wait(90)
        finally:
            if writer.poll() is None:
                writer.kill()
                writer.wait()
        out.seek(0)
        lines = [line.rstrip("\n").split("\t") for line in out]
    failed = [line for line in lines if line[0] != "acked"]
    equal(failed[:5], [], f"{len(failed)} records the producer could not deliver")
    acked = [{} for _ in range(PARTITIONS)]
    for _, partition, number, offset in lines:
        acked[int(partition)][int(number)] = int(offset)
    node.kill()
    took.append(node.start())
    result = subprocess.run(worker("read", node), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    equal(result.returncode, 0, "reading everything:\n" + result.stderr[-2000:])
    read = [line.split("\t") for line in result.stdout.splitlines()]
    equal([line for line in read if line[0] != "record"], [], "reading everything")
    surplus = check_records(acked, [(int(p), int(offset), int(number)) for _, p, offset, number in read])
    total = sum(map(len, acked))
    check(total > 0, "nothing was acknowledged")
    node.stop()
    took.sort()
    return (f"{len(took)} kills, {total} records acknowledged, {surplus} more kept; "
            f"ready again in {took[len(took) // 2]:.3f} s (median), {took[-1]:.3f} s (worst)")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--moldau", default="build/release/bin/moldau")
    parser.add_argument("--against", choices=["moldau", "kafka"], default="moldau")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    suite = Suite(None, True, os.path.abspath("build/test-logs/crash"))
    with tempfile.TemporaryDirectory(prefix="moldau-crash-") as folder:
        if arguments.against == "kafka":
            node = nodes.Kafka(folder, deps.kafka_lib(True))
        else:
            node = nodes.Moldau(folder, arguments.moldau)
        try:
            print(f"seed {arguments.seed}", flush=True)
            suite.run("crash: kill -9 in a loop loses nothing that was acknowledged",
                      lambda: crash(node, arguments.rounds, arguments.seed))
            if suite.failed:
                print(f"again with: tests/crash/run.py --seed {arguments.seed}\n{node.log()[-3000:]}")
        finally:
            nodes.end_all()
    print(suite.summary())
    sys.exit(suite.failed != 0)


if __name__ == "__main__":
    main()
