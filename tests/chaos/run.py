#!/usr/bin/env python3
"""Real processes on machines of our own making (network namespaces), and everything goes wrong: `./dev chaos`.

Three controllers and three brokers. Two producers with acks=all and idempotence write all the while, two members of a
group of each protocol read along, two copiers move everything into another topic within transactions; one fault after
the other hits a node: kill -9, SIGTERM, SIGSTOP, cuts both ways and one way, a line that clogs, a full disk, everything
killed at once. After each the cluster has to be in sync again. At the end every acknowledged record has to be where it
was acknowledged, once, each producer's records in their order, the groups have to have seen all of it, the copies have
to be there exactly once, and the replicas have to hold the same bytes. Prints the longest time during which some
partition's records were not acknowledged."""

import argparse
import os
import random
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(ROOT, "tests/client")]
import checker  # noqa: E402
import faults  # noqa: E402
import machines  # noqa: E402
from harness import deps  # noqa: E402
from nodes import Cluster, die_with_us  # noqa: E402

TOPIC, COPY, PARTITIONS, WRITERS, FOLLOWERS, COPIERS = "chaos", "chaos.copy", 6, 2, 2, 2
PROTOCOLS = "classic", "consumer"
FOLDERS = "/tmp/moldau-chaos-"
DISK_MB_A_MINUTE = 200  # the load writes about half of that


def say(text):
    print(text, flush=True)


class Clients:
    """On a machine of their own."""

    def __init__(self, machine, cluster, folder):
        self.machine, self.cluster, self.folder = machine, cluster, folder
        self.writers, self.followers, self.copiers = [], {}, []

    def command(self, program, what, *rest):
        return self.machine.command(deps.python(), "-u", os.path.join(HERE, program), what, self.cluster.bootstrap, *rest)

    def create(self, replicas):
        subprocess.run(self.command("client.py", "create", f"{TOPIC},{COPY}", str(PARTITIONS), str(replicas)), check=True,
                       stdin=subprocess.DEVNULL, timeout=60)

    def start(self):
        several = TOPIC, str(PARTITIONS)
        self.writers = [self.begin(f"w{i}", "client.py", "write", *several, f"w{i}", "enable.idempotence=true")
                        for i in range(WRITERS)]
        self.followers = {protocol: [self.begin(f"{protocol}{i}", "client.py", "follow", *several, f"{protocol}{i}", protocol)
                                     for i in range(FOLLOWERS)] for protocol in PROTOCOLS}
        self.copiers = [self.begin(f"c{i}", "copier.py", "copy", TOPIC, COPY, str(PARTITIONS), f"c{i}") for i in range(COPIERS)]

    def begin(self, name, *words):
        base = os.path.join(self.folder, name)
        with open(base, "w") as out, open(base + ".err", "w") as err:
            return base, subprocess.Popen(self.command(*words), stdin=subprocess.PIPE, stdout=out, stderr=err,
                                          start_new_session=True, preexec_fn=die_with_us)

    def end(self, clients):
        """The lines of each."""
        for _, process in clients:
            process.stdin.close()
        lines = []
        for base, process in clients:
            if process.wait(240) != 0:
                with open(base + ".err", errors="replace") as file:
                    raise checker.Wrong(f"client {os.path.basename(base)} ended with {process.returncode}:\n{file.read()[-2000:]}")
            with open(base) as file:
                lines.append([line.rstrip("\n").split("\t") for line in file])
        return lines

    def read_all(self, program, topic):
        result = subprocess.run(self.command(program, "read", topic, str(PARTITIONS)), stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, timeout=240)
        if result.returncode != 0:
            raise checker.Wrong(f"reading all of {topic} failed:\n" + result.stderr[-2000:])
        return [line.split("\t") for line in result.stdout.splitlines()]

    def close(self):
        for _, process in self.writers + sum(self.followers.values(), []) + self.copiers:
            if process.poll() is None:
                process.kill()
                process.wait()


def hurt(cluster, arguments, dice):
    """One fault after the other until the time is up. Returns [(fault, began ms, ended ms)]."""
    log = []
    until = time.monotonic() + arguments.minutes * 60
    for fault in faults.deal(dice, cluster, arguments.only):
        if time.monotonic() > until:
            return log
        time.sleep(dice.uniform(0.5, 2))
        began = int(time.time() * 1000)
        fault.done()
        time.sleep(dice.uniform(0.3, arguments.longest))
        fault.undone()
        ended = int(time.time() * 1000)
        cluster.await_ready(30)
        # In sync again before the next: any one node may go, not two.
        checker.await_in_sync(cluster, os.path.join(arguments.bin, "moldau"), fault.within)
        log.append((fault, began, ended))
        say(f"  {fault.text}: for {(ended - began) / 1000:.1f} s, in sync {time.time() - ended / 1000:.1f} s later")


def end_all(cluster):
    """Brokers first: they tell the controllers. Every node has to end by itself and well."""
    for node in cluster.brokers + cluster.controllers:
        status = node.stop()
        if status != 0:
            raise checker.Wrong(f"{node.name} was asked to end, and: {status}")


def run(arguments, folder):
    dice = random.Random(arguments.seed)
    network = machines.Network()
    cluster = clients = None
    try:
        cluster = Cluster(network, folder, arguments.bin, disk_mb=arguments.disk_mb)
        clients = Clients(network.add(), cluster, folder)
        cluster.start()
        clients.create(3)
        clients.start()
        log = hurt(cluster, arguments, dice)
        told = [line for lines in clients.end(clients.writers) for line in lines]
        records = checker.check_log(told, clients.read_all("client.py", TOPIC), PARTITIONS)
        for followers in clients.followers.values():
            checker.check_followers(clients.end(followers), records)
        clients.end(clients.copiers)
        checker.check_copies(clients.read_all("copier.py", COPY), records)
        end_all(cluster)
        for topic in TOPIC, COPY:
            checker.check_replicas([node.data for node in cluster.brokers], topic, PARTITIONS)
        return log, told
    except BaseException as failure:
        if cluster is not None and not isinstance(failure, (KeyboardInterrupt, SystemExit)):
            for node in cluster.nodes:
                say(f"--- {node.name}\n{node.log()[-2000:]}")
        raise
    finally:
        # Cleaning up is not interrupted.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if clients is not None:
            clients.close()
        if cluster is not None:
            cluster.close()
        network.close()


def options():
    parser = argparse.ArgumentParser(prog="./dev chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=os.path.join(ROOT, "build/release/bin"), help="where the programs are")
    parser.add_argument("--minutes", type=float, default=1, help="how long faults are made (default 1)")
    parser.add_argument("--longest", type=float, default=6, help="seconds that a fault lasts at most (default 6)")
    parser.add_argument("--disk-mb", type=int,
                        help="size of each broker's own file system (default: what the minutes fill, at least 512); 0: no full disks")
    parser.add_argument("--only", default="", metavar="FAULT,...", help="only these faults (a part of the name will do)")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"),
                        help="draws the faults, their order and their length; when processes do what is up to them")
    parser.add_argument("--keep", action="store_true", help="keep the folder of the run")
    arguments = parser.parse_args()
    if arguments.disk_mb is None:
        arguments.disk_mb = max(512, int(DISK_MB_A_MINUTE * arguments.minutes))
    return arguments


def main():
    arguments = options()
    why = machines.possible()
    if why:
        say(f"skip  chaos: {why}\n0 passed, 0 failed, 1 skipped")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    arguments.bin = os.path.abspath(arguments.bin)
    machines.sweep(FOLDERS + "*")
    folder = FOLDERS + str(os.getpid())
    os.makedirs(folder)
    try:
        why = machines.disks_possible(folder) if arguments.disk_mb else "not asked for"
        if why:
            arguments.disk_mb = 0
            say(f"chaos: no full disks: {why}")
        say(f"chaos: seed {arguments.seed}, {arguments.minutes:g} min of faults, in {folder}")
        log, told = run(arguments, folder)
    except checker.Wrong as wrong:
        say(f"chaos: {wrong}\nagain with: ./dev chaos --seed {arguments.seed}\n0 passed, 1 failed")
        return 1
    except KeyboardInterrupt:
        say("chaos: interrupted; everything is ended and deleted")
        return 130
    finally:
        if not arguments.keep:
            machines.remove(folder)
    say(checker.report(log, told))
    say("1 passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
