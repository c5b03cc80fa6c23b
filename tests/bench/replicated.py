#!/usr/bin/env python3
"""What replication costs: three brokers of Moldau (and its three controllers) beside three of Apache Kafka on this
machine, the same librdkafka client, a topic with three replicas and min.insync.replicas=2, acks=all. Moldau has its
default durability (on the disks of two brokers before the answer), Kafka its own (in their page caches).
`./dev bench replicated`; docs/benchmarks.md."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(ROOT, "tests/cluster"), os.path.join(ROOT, "tests/client")]
import pages  # noqa: E402
import report  # noqa: E402
from cluster import Cluster  # noqa: E402
from harness import deps, node as nodes  # noqa: E402
from grouping import logs  # noqa: E402
from node import Kafka, NodeFailed, cluster_identity, free_port  # noqa: E402
from workloads import Metric, Workload  # noqa: E402

SIDES = ("kafka", "moldau")
PARTITIONS, SIZE = 30, 1024
RATE, SECONDS = 15_000, 20
TXN_RECORDS, TXN_WARM, TXN_SECONDS = 500, 20, 40  # of one transaction; seconds
WARM = pages.CYCLE // SIZE  # each of the three brokers writes all of it
WORKLOADS = (
    Workload("volume", f"produce 1 KiB, {PARTITIONS} partitions, 3 replicas, acks=all", "", (
        Metric("cpu_s_per_gb", "s/GB", "CPU of the cluster per GB", 0.25),
        Metric("rate", "k/s", "records/s, closed loop", more_is_better=True)), None),
    Workload("latency", "the same, open loop at half of Kafka's closed loop", "", (
        Metric("p50_us", "us", "ack p50"), Metric("p99_us", "us", "ack p99", 0.3), Metric("p999_us", "us", "ack p99.9"),
        Metric("cpu_s", "s", "CPU of the cluster")), None),
    Workload("transactions", "Kafka's own transactional producer, 1 KiB, commit every 100 ms, 3 replicas", "", (
        Metric("p50_ms", "ms", "commit p50"), Metric("p99_ms", "ms", "commit p99", 0.5),
        Metric("cpu_s_per_gb", "s/GB", "CPU of the cluster per GB", 0.3)), None),
)


def say(text):
    print(f"bench replicated: {text}", file=sys.stderr, flush=True)


class KafkaCluster:
    def __init__(self, folder, lib, control):
        ports = [[free_port(), free_port()] for _ in range(3)]
        voters = ",".join(f"{i + 1}@127.0.0.1:{each[1]}" for i, each in enumerate(ports))
        identity, self.members = cluster_identity(), []
        for i, each in enumerate(ports):
            more = {"node.id": str(i + 1), "controller.quorum.voters": voters, "default.replication.factor": "3",
                    "min.insync.replicas": "2", "offsets.topic.replication.factor": "3",
                    "transaction.state.log.replication.factor": "3", "transaction.state.log.min.isr": "2"}
            self.members.append(Kafka(os.path.join(folder, f"kafka-{i + 1}"), control, lib, more, identity, each))
        self.bootstrap = ",".join(f"127.0.0.1:{each[0]}" for each in ports)

    def start(self):
        # None serves before two are there.
        for member in self.members:
            with open(member.log_path, "a") as log:
                member.process = subprocess.Popen(member.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                  start_new_session=True, preexec_fn=member._in_child)
        end = time.monotonic() + 120
        while not all(member.serves() for member in self.members):
            if time.monotonic() > end or not all(member.alive() for member in self.members):
                raise NodeFailed("kafka does not serve:\n" + self.members[0].last_words())
            time.sleep(0.1)

    def pids(self):
        return [member.process.pid for member in self.members]

    def page_cost(self):
        return self.members[0].page_cost()

    def end(self):
        for member in self.members:
            member.remove()


class MoldauCluster:
    def __init__(self, folder, binaries, control):
        # What `moldau-broker` does by itself, not what the harness likes.
        self.cluster = Cluster(folder, binaries, settings={"min.insync.replicas": "2", "default.replication.factor": "3"})
        self.bootstrap = self.cluster.bootstrap
        self.folder, self.groups = folder, [control.group("moldau") for _ in self.cluster.brokers]

    def start(self):
        self.cluster.start()
        for broker, group in zip(self.cluster.brokers, self.groups):
            if group:
                group.enter(broker.process.pid)

    def pids(self):
        return [member.process.pid for member in self.cluster.members()]

    def page_cost(self):
        return pages.probe(self.groups[0], self.folder)

    def end(self):
        nodes.end_all()
        for group in self.groups:
            if group:
                group.remove()


def cpu_s(pids):
    """User and system time of the processes, their ended threads included."""
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


class Side:
    """One cluster under measurement."""

    def __init__(self, cluster, program):
        self.cluster, self.program = cluster, program

    def create(self, topic):
        code = ("import sys; from confluent_kafka.admin import AdminClient, NewTopic\n"
                "admin = AdminClient({'bootstrap.servers': sys.argv[1]})\n"
                "made = admin.create_topics([NewTopic(sys.argv[2], int(sys.argv[3]), 3, config={'min.insync.replicas': '2'})])\n"
                "for each in made.values(): each.result(60)")
        subprocess.run([deps.python(), "-c", code, self.cluster.bootstrap, topic, str(PARTITIONS)], check=True,
                       stdin=subprocess.DEVNULL, timeout=120)
        time.sleep(2)

    def load(self, command, topic, *arguments):
        before = cpu_s(self.cluster.pids())
        done = subprocess.run([self.program, command, "--bootstrap", self.cluster.bootstrap, "--topic", topic, "--size", str(SIZE),
                               "--set", "acks=all", *map(str, arguments)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
        if done.returncode:
            raise NodeFailed(f"bench_load {command} failed:\n{done.stderr[-2000:]}")
        return json.loads(done.stdout.splitlines()[-1]) | {"cpu_s": cpu_s(self.cluster.pids()) - before}

    def volume(self, scale):
        self.create("volume")
        self.load("produce", "volume", "--records", WARM)
        page_cost = self.cluster.page_cost()
        seconds = max(5, SECONDS * scale)
        paced = self.load("produce", "volume", "--records", int(RATE * seconds), "--rate", RATE)
        closed = self.load("produce", "volume", "--records", int(RATE * seconds))
        return {"cpu_s_per_gb": paced["cpu_s"] / (RATE * seconds * SIZE) * 1e9, "behind": paced["seconds"] / seconds - 1,
                "rate": closed["records"] / closed["seconds"] / 1e3, "page_cost": page_cost}

    def latency(self, scale, rate):
        self.create("latency")
        return self.load("openloop", "latency", "--rate", rate, "--seconds", max(5, SECONDS * scale), "--warm-seconds", 4)

    def transactions(self, scale, records):
        self.create("transactions")
        warm, seconds = (max(5, each * scale) for each in (TXN_WARM, TXN_SECONDS))
        before = cpu_s(self.cluster.pids())
        commits = logs.java_commits(self.cluster.bootstrap, "transactions", records, warm, seconds)
        took = cpu_s(self.cluster.pids()) - before
        return commits | {"cpu_s_per_gb": took / (commits["records"] * SIZE) * 1e9}


def measure(args, folder, control, pair, half):
    """{(workload, pair, side): figures}; `half` is the rate of the open loop, or None until Kafka told it."""
    measured = {}
    for side in SIDES if args.side is None else (args.side,):
        place = os.path.join(folder, f"{side}-{pair}")
        os.makedirs(place)
        cluster = KafkaCluster(place, deps.kafka_lib(False), control) if side == "kafka" else MoldauCluster(place, args.bin, control)
        try:
            cluster.start()
            under = Side(cluster, os.path.join(args.bin, "bench_load"))
            scale, figures = 0.25 if args.quick else 1, {}
            if "volume" in args.only:
                figures["volume"] = under.volume(scale)
            if "latency" in args.only:
                half = args.rate or half or max(1000, int(figures["volume"]["rate"] * 1000 / 2))
                figures["latency"] = under.latency(scale, half)
            if "transactions" in args.only:
                figures["transactions"] = under.transactions(scale, args.records)
        finally:
            cluster.end()
            shutil.rmtree(place, ignore_errors=True)
        say(f"{side}: {json.dumps(figures)}" + (f" at {half}/s" if half else ""))
        measured |= {(work, pair, side): each for work, each in figures.items()}
    return measured, half


def main():
    parser = argparse.ArgumentParser(prog="./dev bench replicated", description=__doc__)
    parser.add_argument("--bin", default=os.path.join(ROOT, "build/release/bin"), help="where the programs are")
    parser.add_argument("--pairs", type=int, default=3, help="interleaved, each with a fresh start of both (default 3)")
    parser.add_argument("--quick", action="store_true", help="a quarter of the volume")
    parser.add_argument("--side", choices=SIDES, help="one alone")
    names = [each.name for each in WORKLOADS]
    parser.add_argument("--only", default=",".join(names), help="of " + ", ".join(names) + ", separated by commas")
    parser.add_argument("--rate", type=int, help="of the open loop (default: half of Kafka's closed loop)")
    parser.add_argument("--records", type=int, default=TXN_RECORDS, help="in a transaction of 100 ms (default %(default)s)")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--dir", default=os.path.join(ROOT, "build/bench"), help="data directories are made here, and deleted")
    args = parser.parse_args()
    args.only = args.only.split(",")
    if unknown := set(args.only) - set(names):
        parser.error(f"--only: there is no {', '.join(sorted(unknown))}")
    if "latency" in args.only and "volume" not in args.only and args.rate is None:
        parser.error("--only latency: the rate comes from volume, or from --rate")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = os.path.join(args.dir, f"replicated-{os.getpid()}")
    os.makedirs(folder)
    measured, half, control = {}, None, pages.Control()
    try:
        for pair in range(args.pairs):
            figures, half = measure(args, folder, control, pair, half)
            measured |= figures
    except (NodeFailed, nodes.NodeFailed) as failure:
        say(str(failure))
        return 1
    except KeyboardInterrupt:
        say("interrupted; everything is ended and deleted")
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    rows = report.summarise(WORKLOADS, measured)
    print((report.markdown if args.markdown else report.table)(rows))
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    rates = (f"open loop at {half:,}/s; " if half else "") + (f"{args.records} records in a transaction; " if "transactions" in args.only else "")
    print(f"\n{rates}{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; median of {args.pairs} pairs; commit {commit}; "
          f"{time.strftime('%Y-%m-%d')}; pages: {control.describe()}")
    for side in SIDES if args.side is None else (args.side,):
        costs = sorted(figures["page_cost"] for (work, _, of), figures in measured.items() if (work, of) == ("volume", side))
        if costs:
            print(f"a plain write beside {side}: {costs[len(costs) // 2]:.2f} s/GB ({costs[0]:.2f} .. {costs[-1]:.2f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
