#!/usr/bin/env python3
"""The whole of it on a real Kubernetes of three nodes on this machine: the image, the operator, clusters and topics, with
real clients in pods.

usage: run.py --image FILE.tar --binaries DIRECTORY [--all] [--only WORD] [--dir DIRECTORY] [--keep]

--all runs the long tests too. --dir uses a lab that runs there, and leaves it. --keep leaves what the run started."""

import argparse
import os
import re
import signal
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests/client"), os.path.join(ROOT, "operator/image")]
from harness.node import free_port  # noqa: E402
from harness.suite import Suite  # noqa: E402
from lab import Lab  # noqa: E402
from world import NEXT, World  # noqa: E402
import client_image  # noqa: E402
import image as moldau_image  # noqa: E402
import test_image  # noqa: E402
import test_long  # noqa: E402
import test_short  # noqa: E402


class WholeWords(Suite):
    """--only WORD,WORD: tests with such a word in their name; `rest` is no part of `restricted`."""

    def wants(self, name):
        return not self.only or any(re.search(rf"\b{re.escape(word)}\b", name) for word in self.only.split(","))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--image", default=os.path.join(ROOT, "build/image/moldau.tar"))
    parser.add_argument("--binaries", default=os.path.join(ROOT, "build/release/bin"))
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--dir", default="")
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    suite = WholeWords(arguments.only or None, True, os.path.abspath("build/test-logs/kube"))
    test_image.run_image(suite, arguments.image, arguments.binaries)
    lab = Lab(arguments.dir or f"/tmp/moldau-kube-test-{os.getpid()}", 3, free_port())
    world = World(lab)
    with tempfile.TemporaryDirectory(prefix="moldau-kube-images-") as folder:
        following, client = os.path.join(folder, "next.tar"), os.path.join(folder, "client.tar")
        moldau_image.build(arguments.binaries, following, NEXT)
        client_image.build(client)
        try:
            world.start([arguments.image, following, client])
            world.install()
            test_short.run_short(suite, world)
            if arguments.all:
                test_long.run_long(suite, world)
        finally:
            if not arguments.keep and not arguments.dir:
                lab.down()
    print(suite.summary())
    sys.exit(suite.failed != 0)


if __name__ == "__main__":
    main()
