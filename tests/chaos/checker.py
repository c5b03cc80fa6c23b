"""What must hold of a chaos run: nothing acknowledged is lost, nothing is doubled, order is kept, what a reader saw
stays, and the replicas are the same."""

import glob
import json
import os
import subprocess
import time
from collections import defaultdict
from statistics import median


class Wrong(Exception):
    pass


def check_log(told, records, partitions):
    """`told`: what the producers printed; `records`: what the reader printed. Returns {(partition, offset): (name, number)}."""
    broken = [line for line in records if line[0] != "record"]
    if broken:
        raise Wrong(f"reading everything: {broken[:3]}")
    failed = [line for line in told if line[0] == "failed"]
    if failed:
        raise Wrong(f"{len(failed)} records were given up by their producer, the first: {failed[0]}")
    acked = [line for line in told if line[0] == "acked"]
    if len(acked) != len(told):
        raise Wrong(f"a producer said: {[line for line in told if line[0] != 'acked'][:3]}")
    if not acked:
        raise Wrong("nothing was acknowledged")
    log = {}
    for partition in range(partitions):
        mine = [(int(o), name, int(n)) for _, p, o, name, n in records if int(p) == partition]
        check_partition(partition, mine, [line for line in acked if int(line[1]) == partition])
        log.update({(partition, offset): (name, number) for offset, name, number in mine})
    return log


def check_partition(partition, mine, acked):
    if [o for o, _, _ in mine] != list(range(len(mine))):
        raise Wrong(f"partition {partition}: offsets have holes")
    at, last = {}, {}
    for offset, name, number in mine:
        if number <= last.get(name, -1):
            raise Wrong(f"partition {partition}: {name}'s record {number} at offset {offset} comes after {last[name]}: "
                        "doubled or out of order")
        last[name] = number
        at[name, number] = offset
    for _, _, name, number, offset, _ in acked:
        # A producer that sent a batch again is told that it is there, and where only if it is one of the last five.
        there = at.get((name, int(number)))
        if there is None or (offset != "None" and there != int(offset)):
            raise Wrong(f"partition {partition}: {name}'s record {number}, acknowledged at offset {offset}, is at {there}")


def check_followers(followers, log):
    """`followers`: the lines of each member of one group. What it was shown is what the log holds, nothing was passed
    over while it kept a partition, and together they saw everything."""
    everything = set()
    for number, lines in enumerate(followers):
        next_of = {}
        for line in lines:
            if line[0] == "given":
                next_of.clear()
                continue
            if line[0] != "record":
                raise Wrong(f"follower {number} said: {line}")
            partition, offset, what = int(line[1]), int(line[2]), (line[3], int(line[4]))
            if log.get((partition, offset)) != what:
                raise Wrong(f"follower {number} was shown {what} at offset {offset} of partition {partition}, "
                            f"where {log.get((partition, offset))} is")
            if next_of.get(partition, offset) != offset:
                raise Wrong(f"follower {number} read offset {offset} of partition {partition} after {next_of[partition] - 1}")
            next_of[partition] = offset + 1
            everything.add((partition, offset))
    missed = sorted(set(log) - everything)
    if missed:
        raise Wrong(f"{len(missed)} of {len(log)} records reached no member of the group, the first (partition, offset): {missed[0]}")


def check_copies(copies, log):
    """`copies`: what the copiers committed. Every record of the log once, in its partition, in its order."""
    last, count = {}, 0
    for line in copies:
        if line[0] != "copy":
            raise Wrong(f"reading the copies: {line}")
        partition, name, number, origin = int(line[1]), line[3], int(line[4]), int(line[5])
        if log.get((partition, origin)) != (name, number):
            raise Wrong(f"a copy of offset {origin} of partition {partition} is {name}'s record {number}, "
                        f"where {log.get((partition, origin))} is")
        if origin != last.get(partition, -1) + 1:
            raise Wrong(f"partition {partition}: the copy of offset {origin} follows that of {last.get(partition)}: "
                        "doubled, lost or out of order")
        last[partition] = origin
        count += 1
    if count != len(log):
        raise Wrong(f"{count} of {len(log)} records were copied")


def bytes_of(directory):
    """A partition's log, whole: its segments one after the other."""
    whole = bytearray()
    for path in sorted(glob.glob(os.path.join(directory, "*.log"))):
        with open(path, "rb") as file:
            whole += file.read()
    return bytes(whole)


def check_replicas(folders, topic, partitions):
    """`folders`: the log directories of brokers that have ended. Every replica holds the same bytes."""
    for partition in range(partitions):
        logs = [bytes_of(os.path.join(folder, f"{topic}-{partition}")) for folder in folders]
        if not logs[0]:
            raise Wrong(f"partition {partition}: nothing is on the disk of {folders[0]}")
        for folder, log in zip(folders[1:], logs[1:]):
            if log != logs[0]:
                where = next((i for i, (a, b) in enumerate(zip(logs[0], log)) if a != b), min(len(log), len(logs[0])))
                raise Wrong(f"partition {partition}: the replicas in {folders[0]} and {folder} differ from byte {where} "
                            f"({len(logs[0])} and {len(log)} bytes)")


def gap(times, began, ended):
    """The longest pause between two acknowledgements of which one is between `began` and `ended` (ms)."""
    around = [t for t in times if began - 2000 <= t <= ended + 4000]
    pauses = [b - a for a, b in zip(around, around[1:]) if b >= began and a <= ended]
    return max(pauses, default=ended - began)


def pauses(log, told):
    """[(fault, seconds it lasted, longest pause of any partition in ms)]"""
    by_partition = defaultdict(list)
    for line in told:
        by_partition[line[1]].append(int(line[5]))
    for times in by_partition.values():
        times.sort()
    return [(fault, (ended - began) / 1000, max(gap(times, began, ended) for times in by_partition.values()))
            for fault, began, ended in log]


def report(log, told):
    of_kind = defaultdict(list)
    for fault, seconds, pause in pauses(log, told):
        of_kind[fault.kind].append((seconds, pause))
    lines = [f"{len(told)} records acknowledged, none lost, none doubled, all in order; {len(log)} faults",
             "longest pause of any partition's acknowledgements, ms:",
             f"  {'fault':24}{'times':>6}{'lasted up to':>15}{'median':>9}{'longest':>9}"]
    for kind, seen in sorted(of_kind.items()):
        lines.append(f"  {kind:24}{len(seen):6}{max(s for s, _ in seen):13.1f} s{median(p for _, p in seen):9.0f}{max(p for _, p in seen):9}")
    return "\n".join(lines)


def await_in_sync(cluster, moldau, within):
    """Until no partition is under-replicated, asked of each broker in turn."""
    until = time.monotonic() + within
    said = ""
    while time.monotonic() < until:
        for broker in cluster.brokers:
            result = subprocess.run(broker.machine.command(moldau, "cluster", "health", "--json", "--brokers", broker.machine.address + ":9092"),
                                    stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
            said = result.stdout + result.stderr
            if result.returncode == 0:
                return
        time.sleep(0.1)
    try:
        said = json.dumps(json.loads(said))
    except ValueError:
        pass
    raise Wrong(f"{within} s after the last fault the cluster is not healthy:\n{said[-2000:]}")
