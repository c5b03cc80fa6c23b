#!/usr/bin/env python3
"""Real processes on machines of our own making (network namespaces), and everything goes wrong: `./dev chaos`.

Producers with acks=all and idempotence write all the while; one fault after the other hits a node: kill -9, SIGTERM,
SIGSTOP, cuts both ways and one way, a full disk. At the end every acknowledged record has to be where it was
acknowledged, once, and each producer's records in their order. Prints each fault with the longest time during which
no partition's records were acknowledged."""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(ROOT, "tests/client")]
import checker  # noqa: E402
import faults  # noqa: E402
import machines  # noqa: E402
from harness import deps  # noqa: E402
from nodes import Cluster  # noqa: E402

TOPIC, PARTITIONS, WRITERS = "chaos", 6, 2


def say(text):
    print(text, flush=True)


class Clients:
    """On a machine of their own."""

    def __init__(self, machine, cluster, folder):
        self.machine, self.cluster, self.folder = machine, cluster, folder
        self.writers = []

    def command(self, *words):
        what, rest = words[0], words[1:]
        return self.machine.command(deps.python(), "-u", os.path.join(HERE, "client.py"), what, self.cluster.bootstrap, TOPIC,
                                    str(PARTITIONS), *rest)

    def create(self, replicas):
        subprocess.run(self.command("create", str(replicas)), check=True, stdin=subprocess.DEVNULL, timeout=60)

    def start_writers(self):
        for i in range(WRITERS):
            out = open(os.path.join(self.folder, f"writer{i}"), "w+")
            self.writers.append((subprocess.Popen(self.command("write", f"w{i}"), stdin=subprocess.PIPE, stdout=out,
                                                  stderr=subprocess.STDOUT, start_new_session=True), out))

    def end_writers(self):
        """What they were told, line by line."""
        lines = []
        for process, _ in self.writers:
            process.stdin.close()
        for process, out in self.writers:
            process.wait(180)
            out.seek(0)
            lines += [line.rstrip("\n").split("\t") for line in out]
        return lines

    def read_all(self):
        result = subprocess.run(self.command("read"), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240)
        if result.returncode != 0:
            raise checker.Wrong("reading everything failed:\n" + result.stderr[-2000:])
        return [line.split("\t") for line in result.stdout.splitlines()]

    def close(self):
        for process, _ in self.writers:
            if process.poll() is None:
                process.kill()
                process.wait()


def hurt(cluster, arguments, dice):
    """One fault after the other until the time is up. Returns [(text, began ms, ended ms)]."""
    log = []
    until = time.monotonic() + arguments.seconds
    while time.monotonic() < until:
        time.sleep(dice.uniform(1, 3))
        fault = faults.draw(dice, cluster, arguments.disk_mb > 0)
        began = int(time.time() * 1000)
        fault.done()
        time.sleep(dice.uniform(0.5, arguments.longest))
        fault.undone()
        cluster.await_ready(30)
        log.append((fault.text, began, int(time.time() * 1000)))
        say(f"  {fault.text}: for {(log[-1][2] - began) / 1000:.1f} s")
        # In sync again before the next: any one node may go, not two.
        checker.await_in_sync(cluster, os.path.join(arguments.bin, "moldau"), 60)
    return log


def run(arguments, folder):
    dice = random.Random(arguments.seed)
    network = machines.Network()
    cluster = clients = None
    try:
        cluster = Cluster(network, folder, arguments.bin, disk_mb=arguments.disk_mb)
        clients = Clients(network.add(), cluster, folder)
        cluster.start()
        clients.create(3)
        clients.start_writers()
        log = hurt(cluster, arguments, dice)
        told = clients.end_writers()
        checker.check(told, clients.read_all(), PARTITIONS)
        return log, told
    except BaseException:
        if cluster is not None:
            for node in cluster.nodes:
                say(f"--- {node.name}\n{node.log()[-1500:]}")
        raise
    finally:
        if clients is not None:
            clients.close()
        if cluster is not None:
            cluster.close()
        network.close()


def main():
    parser = argparse.ArgumentParser(prog="./dev chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=os.path.join(ROOT, "build/release/bin"), help="where the programs are")
    parser.add_argument("--seconds", type=float, default=60, help="how long faults are made")
    parser.add_argument("--longest", type=float, default=6, help="seconds that a fault lasts at most")
    parser.add_argument("--disk-mb", type=int, default=256, help="size of each broker's own file system; 0: no full disks")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--keep", action="store_true", help="keep the folder of the run")
    arguments = parser.parse_args()
    why = machines.possible()
    if why:
        say(f"chaos: {why}\n0 passed, 0 failed, 1 skipped")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    arguments.bin = os.path.abspath(arguments.bin)
    folder = tempfile.mkdtemp(prefix="moldau-chaos-")
    say(f"chaos: seed {arguments.seed}, {arguments.seconds:.0f} s of faults, in {folder}")
    try:
        log, told = run(arguments, folder)
    except checker.Wrong as wrong:
        say(f"chaos: {wrong}\nagain with: ./dev chaos --seed {arguments.seed}\n0 passed, 1 failed")
        return 1
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
    say(checker.report(log, told))
    say("1 passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
