"""`moldau txn` and `moldau group seek`, and a group's lag in /metrics, against what real clients left behind."""

import concurrent.futures
import json
import os
import urllib.request

from harness import deps
from harness.proc import run
from harness.suite import check, equal
from harness.wire import Connection, batch, create_topic, produce


def command(node, *arguments, ok=True):
    return run([node.binary, *arguments, "-b", node.bootstrap], ok=ok)


def asked(node, *arguments):
    return json.loads(command(node, *arguments, "--json").out)


def metrics(node):
    with urllib.request.urlopen(f"http://127.0.0.1:{node.http_port}/metrics", timeout=10) as answer:
        return answer.read().decode().splitlines()


def transactions(node):
    """A transaction that its producer left open is listed, described and aborted; its id can be used again."""
    with Connection(node) as c:
        for topic in ("open.in", "open.out"):
            equal(create_topic(c, topic), 0, "creating the topic")
    leave = [deps.python(), os.path.join(deps.HERE, "py/confluent_txn.py"), node.bootstrap, "open", "leave"]
    run(leave)
    equal([t["transactional_id"] for t in asked(node, "txn", "list", "--state", "Ongoing")], ["open.left"], "open ones")
    described, = asked(node, "txn", "describe", "open.left")
    equal((described["state"], described["partitions"]), ("Ongoing", [{"topic": "open.out", "partition": 0}]), "described")
    equal(described["timeout_ms"], 60000, "its timeout")
    refused = command(node, "txn", "abort", "open.left", ok=False)
    equal(refused.status, 2, "without --yes and a terminal:\n" + refused.text())
    equal(asked(node, "txn", "abort", "open.left", "--yes"), [{"transactional_id": "open.left", "aborted": True}], "aborted")
    equal(asked(node, "txn", "describe", "open.left")[0]["state"] in ("Empty", "CompleteAbort"), True, "its state then")
    again = command(node, "txn", "abort", "open.left", "--yes", ok=False)
    check(again.status == 1 and "no transaction is open" in again.err, again.text())
    unknown = command(node, "txn", "describe", "never", ok=False)
    check(unknown.status == 1 and "never" in unknown.err, unknown.text())
    run(leave)  # the id is not burnt


def seek(node):
    """Shown first, done with --execute; never outside of the log; lag follows in /metrics."""
    with Connection(node) as c:
        equal(create_topic(c, "sought", 2), 0, "creating the topic")
        for partition in (0, 1):
            for _ in range(10):
                equal(produce(c, "sought", batch(), partition=partition)[0], 0, "producing")

    def offsets():
        partitions = asked(node, "group", "describe", "seekers")[0]["partitions"]
        return [each["current_offset"] for each in partitions]
    refused = command(node, "group", "seek", "seekers", "--to", "end", ok=False)
    check(refused.status == 1 and "committed nothing" in refused.err, refused.text())
    equal(asked(node, "group", "seek", "seekers", "--to", "4", "--topic", "sought", "--execute")["executed"], True, "executed")
    equal(offsets(), [4, 4], "after an offset")
    dry = asked(node, "group", "seek", "seekers", "--to", "-3")
    equal([(p["current_offset"], p["new_offset"]) for p in dry["partitions"]], [(4, 7), (4, 7)], "dry run")
    equal(offsets(), [4, 4], "after a dry run")
    for to, topic, want in (("-3", "sought:1", [4, 7]), ("99", "sought", [10, 10]), ("beginning", "sought", [0, 0]),
                            ("s@0", "sought", [0, 0]), ("end", "sought:0", [10, 0])):
        command(node, "group", "seek", "seekers", "--to", to, "--topic", topic, "--execute")
        equal(offsets(), want, f"after --to {to}")
    for bad in (["--to", "nowhere"], ["--to", "end", "--topic", "sought:x"]):
        equal(command(node, "group", "seek", "seekers", *bad, ok=False).status, 2, str(bad))
    lines = metrics(node)
    lag = {line.rsplit("} ", 1)[0].split('partition="')[1][0]: float(line.rsplit(" ", 1)[1]) for line in lines
           if line.startswith("moldau_group_lag_records{") and 'group="seekers"' in line}
    equal(lag, {"0": 0.0, "1": 10.0}, "lag in /metrics")
    check(any(line.startswith('moldau_groups_in_state{state="Empty"}') for line in lines), "groups by state")


def scrapes_at_once(node):
    """Groups are asked of coordinators on all reactors, for several scrapers, who each get the same count."""
    def groups(_):
        return sum(float(line.rsplit(" ", 1)[1]) for line in metrics(node) if line.startswith("moldau_groups_in_state{"))
    equal(groups(0) > 0, True, "a group is there")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        equal(len(set(pool.map(groups, range(1000)))), 1, "different counts of groups")
    return "1,000 scrapes"


def run_commands(suite, context):
    names = {"commands: moldau txn list, describe, abort": transactions, "commands: moldau group seek, lag": seek,
             "commands: many scrape the groups": scrapes_at_once}
    if context.against == "kafka" or not any(suite.wants(name) for name in names):
        return
    node = context.new_node()
    node.start()
    for name, test in names.items():
        suite.run(name, lambda t=test: t(node))
    node.stop()
