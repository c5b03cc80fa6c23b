#!/usr/bin/env python3
"""Groups, transactions and compaction, Moldau beside Apache Kafka on this machine: `./dev bench groups`. The client is
the same for both: raw sockets, and librdkafka for what writes records; docs/benchmarks.md."""

import argparse
import os
import shutil
import struct
import sys
import tempfile
import time
from statistics import median

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(ROOT, "tests/client"), os.path.join(ROOT, "tests/cluster"), HERE]
from grouping import classic, consumers, gap, logs  # noqa: E402
from grouping.common import FIND_COORDINATOR, commit, commit_body, until_ready  # noqa: E402
from harness import deps, node as nodes, wire  # noqa: E402
from harness.wire import Connection, string  # noqa: E402

SIZES = (10, 100, 1000)
# What both get beside their defaults: one node, and one partition of offsets so that all groups have one coordinator.
COMMON = {"offsets.topic.num.partitions": "1", "offsets.topic.replication.factor": "1",
          "transaction.state.log.replication.factor": "1", "transaction.state.log.min.isr": "1", "log.cleaner.backoff.ms": "100"}
# `moldau dev`, and the harness, let groups begin at once: here each is as a broker's defaults have it.
DEFAULTS = {"kafka": {"group.initial.rebalance.delay.ms": "3000"},
            "moldau": {"group.initial.rebalance.delay.ms": "3000", "moldau.group.initial.quiet.ms": "500"}}


def forming(protocol):
    def run(node, args):
        figures = {}
        for size in SIZES[:2] if args.quick else SIZES:
            figures |= protocol.form(node, size)
        return figures
    return run


WORKLOADS = {"commits": classic.commits, "classic": forming(classic), "consumer": forming(consumers),
             "transactions": logs.transactions,
             "java-transactions": logs.java_transactions, "compaction": logs.compaction, "load": classic.load}
# figure: unit, target of the ratio (at most; at least where more is better), target of ours alone
FIGURES = {
    "commits, CPU each": ("us", 0.3, None),
    "commits a second": ("", None, None),
    **{f"{size:,} members, {kind} protocol": ("s", 0.2, None) for kind in ("classic", "consumer") for size in SIZES},
    "transactions, CPU per GB": ("s", 0.3, None),
    "transactions, commit p50": ("ms", None, None),
    "transactions, commit p99": ("ms", None, None),
    "transactions of Kafka's producer, commit p50": ("ms", None, None),
    "transactions of Kafka's producer, commit p99": ("ms", 0.5, None),
    "compaction, records per CPU second": ("k", -5, None),
    "compaction, wall time": ("s", None, None),
    "compaction, left": ("%", None, None),
    "load of live commits after kill -9": ("s", None, 1),
}


def say(text):
    print(f"bench groups: {text}", file=sys.stderr, flush=True)


def measure(node, args, names):
    node.start()
    with Connection(node, 60) as c:
        error = wire.create_topic(c, "bench", consumers.PARTITIONS)
        if error != 0:
            raise RuntimeError(f"creating the topic: {error}")
        c.ask(FIND_COORDINATOR, 0, string("any"))
        time.sleep(3)
        until_ready(lambda: commit(c, commit_body("any", [0], 1)))
    figures = {}
    for name in names:
        figures |= WORKLOADS[name](node, args)
    return figures


def one(side, folder, args, names):
    data = os.path.join(folder, side)
    os.makedirs(data)
    settings = COMMON | DEFAULTS[side]
    node = (nodes.Moldau(data, args.moldau, settings) if side == "moldau"
            else nodes.Kafka(data, deps.kafka_lib(False), settings))
    try:
        return measure(node, args, names)
    except BaseException:
        say(node.log()[-2000:])
        raise
    finally:
        node.kill()
        shutil.rmtree(data, ignore_errors=True)


def number(value):
    return "" if value is None else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def rows(results):
    for figure, (unit, of_ratio, of_ours) in FIGURES.items():
        sides = {side: [run[figure] for run in runs if figure in run] for side, runs in results.items()}
        kafka, moldau = sides.get("kafka", []), sides.get("moldau", [])
        if not kafka and not moldau:
            continue
        ratios = sorted(ours / theirs for theirs, ours in zip(kafka, moldau))
        ratio = median(ratios) if ratios else None
        goal = verdict = ""
        if of_ratio is not None:
            goal = f">= {-of_ratio:g}" if of_ratio < 0 else f"<= {of_ratio:g}"
            reached = ratio is not None and (ratio >= -of_ratio if of_ratio < 0 else ratio <= of_ratio)
            verdict = "" if ratio is None else "reached" if reached else "missed"
        if of_ours is not None and moldau:
            goal, verdict = f"<= {of_ours:g} {unit}", "reached" if median(moldau) <= of_ours else "missed"
        yield [f"{figure}{f' ({unit})' if unit else ''}", number(median(kafka)) if kafka else "", number(median(moldau)) if moldau else "",
               number(ratio), f"{number(ratios[0])} .. {number(ratios[-1])}" if ratios else "", goal, verdict]


def show(results, gaps):
    table = [["work", "Kafka", "Moldau", "ratio", "of pairs", "target", ""], ["---"] * 7, *rows(results)]
    if gaps:
        table.append([f"coordinator killed -9, {len(gaps)} times: longest gap in commits, median (s)", "", number(median(gaps)), "", "", "", ""])
        table.append(["the same: most (s)", "", number(max(gaps)), "", "", "<= 1 s", "reached" if max(gaps) <= 1 else "missed"])
    for row in table:
        print("| " + " | ".join(row) + " |")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench groups", description=__doc__)
    parser.add_argument("--moldau", default=os.path.join(ROOT, "build/release/bin/moldau"))
    parser.add_argument("--only", default=",".join([*WORKLOADS, "gap"]), metavar="NAME,...", help="of %(default)s")
    parser.add_argument("--pairs", type=int, default=3, help="interleaved, each with a fresh start of both (default 3)")
    parser.add_argument("--quick", action="store_true", help="one pair of small sizes")
    parser.add_argument("--side", choices=["kafka", "moldau"])
    parser.add_argument("--commits", type=int, help="of one partition each (default 50,000)")
    parser.add_argument("--live", type=int, help="commits to load (default 1,000,000)")
    parser.add_argument("--seconds", type=float, help="of transactions (default 20)")
    parser.add_argument("--compact-gb", type=float, help="to compact (default 2)")
    parser.add_argument("--keys", type=int, help="in what is compacted (default 1,000,000)")
    parser.add_argument("--kills", type=int, help="of a coordinator (default 9)")
    parser.add_argument("--dir", default=os.path.join(ROOT, "build/bench"), help="data directories are made here, and deleted")
    args = parser.parse_args()
    full = {"commits": 50_000, "live": 1_000_000, "seconds": 20, "compact_gb": 2, "keys": 1_000_000, "kills": 9}
    quick = {"commits": 5_000, "live": 50_000, "seconds": 4, "compact_gb": 0.2, "keys": 100_000, "kills": 2}
    for key, value in (quick if args.quick else full).items():
        if getattr(args, key) is None:
            setattr(args, key, value)
    pairs = 1 if args.quick else args.pairs
    names = [name for name in WORKLOADS if name in args.only.split(",")]
    sides = [args.side] if args.side else ["kafka", "moldau"]
    results, gaps = {side: [] for side in sides}, []
    os.makedirs(args.dir, exist_ok=True)
    folder = tempfile.mkdtemp(prefix="groups-", dir=args.dir)
    try:
        for pair in range(pairs if names else 0):
            for side in sides:
                say(f"pair {pair + 1}: {side}, load average {os.getloadavg()[0]:.1f}")
                results[side].append(one(side, folder, args, names))
                say(str({key: float(number(value).replace(",", "")) for key, value in results[side][-1].items()}))
        if "gap" in args.only.split(",") and "moldau" in sides:
            say("the coordinator is killed")
            gaps = gap.measure(os.path.join(folder, "cluster"), args)
            say(str([round(each, 3) for each in gaps]))
    finally:
        nodes.end_all()
        shutil.rmtree(folder, ignore_errors=True)
    show(results, gaps)


if __name__ == "__main__":
    main()
