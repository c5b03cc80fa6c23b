"""What must hold of a chaos run: nothing acknowledged is lost, nothing is doubled, and order is kept."""

import json
import subprocess
import time


class Wrong(Exception):
    pass


def check(told, records, partitions):
    """`told`: what the producers printed; `records`: what the reader printed."""
    broken = [line for line in records if line[0] != "record"]
    if broken:
        raise Wrong(f"reading everything: {broken[:3]}")
    failed = [line for line in told if line[0] != "acked"]
    if failed:
        raise Wrong(f"{len(failed)} records were given up by their producer, the first: {failed[0]}")
    if not told:
        raise Wrong("nothing was acknowledged")
    for partition in range(partitions):
        mine = [(int(o), name, int(n)) for _, p, o, name, n in records if int(p) == partition]
        if [o for o, _, _ in mine] != list(range(len(mine))):
            raise Wrong(f"partition {partition}: offsets have holes")
        at = {}
        last = {}
        for offset, name, number in mine:
            if number <= last.get(name, -1):
                raise Wrong(f"partition {partition}: {name}'s record {number} at offset {offset} comes after {last[name]}: doubled or out of order")
            last[name] = number
            at[name, number] = offset
        for _, p, name, number, offset, _ in told:
            if int(p) == partition and at.get((name, int(number))) != int(offset):
                raise Wrong(f"partition {partition}: {name}'s record {number}, acknowledged at offset {offset}, is at {at.get((name, int(number)))}")


def gap(times, began, ended):
    """The longest pause between two acknowledgements of which one is between `began` and `ended` (ms)."""
    around = [t for t in times if began - 2000 <= t <= ended + 4000]
    return max((b - a for a, b in zip(around, around[1:])), default=ended - began)


def longest_gap(told, began, ended):
    """Over the partitions."""
    by_partition = {}
    for line in told:
        by_partition.setdefault(line[1], []).append(int(line[5]))
    return max(gap(sorted(times), began, ended) for times in by_partition.values())


def report(log, told):
    lines = [f"{len(told)} records acknowledged, none lost, none doubled; {len(log)} faults",
             "longest pause of any partition's acknowledgements:"]
    lines += [f"  {longest_gap(told, began, ended):6d} ms  {text}" for text, began, ended in log]
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
