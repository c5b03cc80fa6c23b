"""Transactions: real transactional producers, and Kafka's tool for what they leave behind."""

import os
import re

import tools as kafka_tools
from harness import deps
from harness.proc import run
from harness.suite import check, equal

STEPS = ["commit and abort", "fence", "offsets", "read_committed"]


def producers(command, prefix, bootstrap):
    result = run([*command, bootstrap, prefix], timeout=150)
    done = [line.split("\t")[1] for line in result.out.splitlines() if line.startswith("done\t")]
    check(result.status == 0, result.text())
    equal(sorted(done), STEPS, "what the client did")


def tool(tools):
    listed = tools.out("kafka-transactions", "list")
    check(re.search(r"txn-java\.one\s+\d+\s+\d+\s+CompleteAbort", listed), listed)
    described = tools.out("kafka-transactions", "describe", "--transactional-id", "txn-java.one")
    check("CompleteAbort" in described, described)
    described = tools.out("kafka-transactions", "describe-producers", "--topic", "txn-java.out", "--partition", "0")
    check(len(described.splitlines()) >= 2 and "None" in described, described)


def run_transactions(suite, node, install, folder):
    def python():
        producers([deps.python(), os.path.join(deps.HERE, "py", "confluent_txn.py")], "txn-confluent", node.bootstrap)

    def java():
        producers(["java", "-XX:TieredStopAtLevel=1", "-Xmx256M",
                   f"-Dlog4j2.configurationFile={deps.HERE}/kafka/log4j2.yaml", "-cp", deps.java(install), "Transactions"],
                  "txn-java", node.bootstrap)

    suite.run("transactions: confluent-kafka", python)
    if suite.run("transactions: java", java):
        suite.run("transactions: kafka-transactions",
                  lambda: tool(kafka_tools.Tools(deps.kafka_lib(install), node.bootstrap, folder)))
