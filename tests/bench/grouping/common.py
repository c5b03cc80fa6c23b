"""What the workloads of `./dev bench groups` share: raw requests, waiting for a coordinator, CPU of the broker, the load program."""

import json
import os
import struct
import subprocess
import threading
import time

from harness.wire import array, string

OFFSET_COMMIT, FIND_COORDINATOR = 8, 10
RETRIABLE = (14, 15, 16)
TICKS = os.sysconf("SC_CLK_TCK")


def until_ready(ask, within=120):
    end = time.monotonic() + within
    while (error := ask()) in RETRIABLE and time.monotonic() < end:
        time.sleep(0.005)
    if error != 0:
        raise RuntimeError(f"error {error}")


def commit_body(group, partitions, offset):
    rows = [struct.pack(">iqh", p, offset, 0) for p in partitions]
    return string(group) + struct.pack(">i", -1) + string("") + struct.pack(">q", -1) + array([string("bench") + array(rows)])


def commit(c, body):
    return struct.unpack(">h", c.ask(OFFSET_COMMIT, 2, body)[-2:])[0]


def cpu_of(node):
    with open(f"/proc/{node.process.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def bench_load(node, args, command, topic, *options):
    """The last line that bin/bench_load says, with the broker's CPU seconds."""
    run = [os.path.join(os.path.dirname(args.moldau), "bench_load"), command, "--bootstrap", node.bootstrap,
           "--topic", topic, "--pid", str(node.process.pid), *map(str, options)]
    done = subprocess.run(run, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(run)}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def everyone(count, work):
    failures = []

    def one(i):
        try:
            work(i)
        except Exception as error:  # said by the main thread
            failures.append(error)
    threads = [threading.Thread(target=one, args=(i,), daemon=True) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


