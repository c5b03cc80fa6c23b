#!/usr/bin/env python3
"""Real clients against one node: Moldau, or Apache Kafka as the oracle for the same tests.

usage: run.py --moldau BINARY [--against kafka | --cluster] [--only WORD[,WORD]] [--install] [--keep]"""

import argparse
import os
import signal
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import deps, node as nodes  # noqa: E402
from harness.suite import Suite  # noqa: E402
import badgroups  # noqa: E402
import badinput  # noqa: E402
import badtransactions  # noqa: E402
import clients  # noqa: E402
import commands  # noqa: E402
import consumer_groups  # noqa: E402
import ecosystem  # noqa: E402
import pacedgroups  # noqa: E402
import rolling  # noqa: E402
import storage  # noqa: E402
import tools  # noqa: E402
import transactions  # noqa: E402


class Context:
    """What the tests need to make nodes of the kind that is tested."""

    def __init__(self, arguments, folder):
        self.against, self.binary, self.install, self.folder = (arguments.against, arguments.moldau, arguments.install, folder)
        self.count = 0

    def new_folder(self):
        self.count += 1
        folder = os.path.join(self.folder, f"node{self.count}")
        os.makedirs(folder)
        return folder

    def new_kafka(self, settings=None):
        return nodes.Kafka(self.new_folder(), deps.kafka_lib(self.install), settings)

    def new_node(self, settings=None, data=None):
        """A node of its own, not started. `settings` are broker configs under Kafka's names."""
        if self.against == "kafka":
            return self.new_kafka(settings)
        return nodes.Moldau(self.new_folder(), self.binary, settings, data)

    def new_cluster(self, settings=None):
        """Three brokers, not started: of Moldau only."""
        return nodes.MoldauCluster(self.new_folder(), self.binary, settings)


def run_suite(suite, context, install):
    node = context.new_node()
    print(f"{node.name} ready in {node.start():.2f} s on {node.bootstrap}, data in {context.folder}", flush=True)
    clients.run_clients(suite, node, install)
    tools.run_tools(suite, node, install, context.folder)
    consumer_groups.run_consumer_groups(suite, node, install, context.folder)
    node.stop()
    tools.run_dump_log(suite, node, install, context.folder)
    transactions.run_transactions(suite, context)
    ecosystem.run_ecosystem(suite, context)
    commands.run_commands(suite, context)
    badinput.run_bad_input(suite, context)
    badgroups.run_bad_groups(suite, context)
    pacedgroups.run_paced_groups(suite, context)
    badtransactions.run_bad_transactions(suite, context)
    storage.run_storage(suite, context)
    if context.against != "kafka":
        rolling.run_rolling(suite, context, everybody=False)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--moldau", default="build/release/bin/moldau", help="the program under test")
    parser.add_argument("--against", choices=["moldau", "kafka"], default="moldau")
    parser.add_argument("--cluster", action="store_true",
                        help="only the clients, all of them, on three brokers that are restarted in turn")
    parser.add_argument("--only", help="tests whose name contains one of these words")
    parser.add_argument("--install", action="store_true", help="fetch languages that are missing; nothing is skipped")
    parser.add_argument("--keep", action="store_true", help="keep the data directories")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = tempfile.mkdtemp(prefix="moldau-client-")
    suite = Suite(arguments.only, arguments.install, os.path.abspath("build/test-logs/client"))
    context = Context(arguments, folder)
    try:
        if arguments.cluster:
            rolling.run_rolling(suite, context, everybody=True)
        else:
            run_suite(suite, context, arguments.install)
    finally:
        nodes.end_all()
        if arguments.keep:
            print(f"kept {folder}")
        else:
            nodes.remove(folder)
    print(suite.summary())
    sys.exit(suite.failed != 0 or suite.passed == 0)


if __name__ == "__main__":
    main()
