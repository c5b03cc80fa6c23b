#!/usr/bin/env python3
"""Dashboards and alerts: every panel and every alert is asked of a real Prometheus (Debian's) that scrapes a real
cluster under load, and must return data; every alert is made to fire, by a fault of that cluster where that is cheap
and otherwise over series of our own.

usage: run.py --binaries DIRECTORY [--only WORD] [--scrape NAME=ADDRESS,LABEL=VALUE...]"""

import argparse
import json
import math
import os
import re
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests/cluster"), os.path.join(ROOT, "tests/client"), os.path.join(ROOT, "charts")]
import alerts  # noqa: E402
import dashboards  # noqa: E402
import prometheus  # noqa: E402
import test_dev  # noqa: E402
from harness import deps, node as nodes  # noqa: E402
from harness.suite import Failed, Suite, check, equal  # noqa: E402

CHART = os.path.join(ROOT, "charts/moldau")
RULES = os.path.join(CHART, "alerts/moldau.yaml")
NAMESPACE, CLUSTER = "ns", "demo"
VARIABLES = {"$namespace": NAMESPACE, "$cluster": CLUSTER, "$topic": ".*", "$group": ".*", "$__rate_interval": "30s"}
# What the faults below make fire; the rest fires in promtool's test.
FAULTS = {
    "broker": {"MoldauBrokerDown", "MoldauUnderReplicatedPartitions", "MoldauPartitionsUnderMinIsr", "MoldauOfflinePartitions",
               "MoldauScrapeFailing", "MoldauProduceRefused", "MoldauGroupFallsBehind"},
    "restarts": {"MoldauRestarting"},
    "controller": {"MoldauControllerDown"},
    "quorum": {"MoldauNoActiveController"},
}
SELECTOR = re.compile(r"\b(?:moldau_\w+|process_\w+|up)\b(?:\{[^}]*\})?")
# Labels of the rules are no metrics.
NOT_METRICS = {"moldau_cluster"}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def board(name):
    return json.loads(read(os.path.join(CHART, f"dashboards/{name}.json")))


def rules():
    """[(alert, expression)], without a YAML parser: rules are written with one `alert:` and one `expr:` each."""
    found = re.findall(r"- alert: (\w+)\n +expr: (?:>-\n((?: {10}.*\n)+)|(.*)\n)", read(RULES))
    return [(name, " ".join((folded or plain).split())) for name, folded, plain in found]


# ---- the files

def boards_are_current():
    names = sorted(os.listdir(os.path.join(CHART, "dashboards")))
    equal(names, sorted(f"{name}.json" for name in dashboards.BOARDS), "dashboards")
    for name in dashboards.BOARDS:
        check(read(os.path.join(CHART, "dashboards", f"{name}.json")) == dashboards.text(name),
              f"{name}.json is not what charts/boards.py says: run charts/dashboards.py")


def boards_are_sound():
    """What Grafana asks of a board: a chosen data source everywhere, ids once, no panel over another, units."""
    count = 0
    for name in dashboards.BOARDS:
        this = board(name)
        equal(this["templating"]["list"][0]["type"], "datasource", f"{name}: first variable")
        ids = [panel["id"] for panel in this["panels"]]
        equal(len(ids), len(set(ids)), f"{name}: ids")
        taken = set()
        for panel in this["panels"]:
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            check(not cells & taken and at["x"] + at["w"] <= 24, f"{name}: {panel['title']} stands on another panel")
            taken |= cells
            if panel["type"] == "row":
                continue
            count += 1
            equal(panel["datasource"]["uid"], "${datasource}", f"{name}: {panel['title']}")
            check(panel["fieldConfig"]["defaults"].get("unit"), f"{name}: {panel['title']} has no unit")
            known = {f"${each['name']}" for each in this["templating"]["list"]} | {"$__rate_interval"}
            for target in panel["targets"]:
                used = set(re.findall(r"\$\w+", target["expr"]))
                check(used <= known, f"{name}: {panel['title']} uses {used - known}")
    return f"{count} panels"


def alerts_are_whole():
    text, docs = read(RULES), read(os.path.join(ROOT, "docs/alerts.md"))
    names = [name for name, _ in rules()]
    equal(len(names), text.count("- alert:"), "alerts with a readable expression")
    equal(sorted(names), sorted(alerts.FIRES), "alerts with a test")
    for name in names:
        check(f"runbook: docs/alerts.md#{name.lower()}\n" in text, f"{name}: runbook")
        check(f"\n## {name}\n" in docs, f"docs/alerts.md has no section {name}")
    equal(text.count("severity: "), len(names), "severities")
    sections = re.findall(r"^## (Moldau\w+)$", docs, re.M)
    equal(sorted(sections), sorted(names), "sections of docs/alerts.md")
    return f"{len(names)} alerts"


def alerts_fire_on_series():
    promtool = prometheus.programs()[1]
    deps.call(promtool, "check", "rules", RULES)
    with tempfile.TemporaryDirectory(prefix="moldau-rules-") as folder:
        path = os.path.join(folder, "tests.yaml")
        with open(path, "w") as file:
            json.dump(alerts.tests(RULES), file)
        result = subprocess.run([promtool, "test", "rules", path], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=120)
    check(result.returncode == 0, "promtool test rules:\n" + (result.stdout + result.stderr)[-4000:])
    return f"{len(alerts.FIRES)} alerts fire when they should and are quiet otherwise"


# ---- a cluster under load

def labels_of(member):
    role, number = member["role"], str(member["id"])
    return {"namespace": NAMESPACE, "moldau_cluster": CLUSTER, "component": role, "node_id": number,
            "pod": f"{CLUSTER}-{role}-{number}"}


def impatient(folder):
    """The rules with every `for` of a moment, so that a test need not wait."""
    path = os.path.join(folder, "rules.yaml")
    with open(path, "w") as file:
        file.write(re.sub(r"( +)for: \w+\n", r"\1for: 1s\n", read(RULES)))
    return path


class Watched:
    """The cluster, its load and Prometheus."""

    def __init__(self, folder, binaries, more):
        self.dev = test_dev.Dev(folder, binaries)
        self.folder, self.more = folder, more
        self.load = self.prometheus = None

    def start(self):
        self.dev.start([*test_dev.SHAPE, "--set", "moldau.metrics.kafka.names=true"])
        self.load = subprocess.Popen([deps.python(), os.path.join(HERE, "load.py"), self.dev.bootstrap()],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        nodes.STARTED.append(self.load)
        equal(self.load.stdout.readline(), "under load\n", "the load")
        targets = [(each["http"], labels_of(each)) for each in self.dev.members()] + self.more
        self.prometheus = prometheus.Prometheus(os.path.join(self.folder, "prometheus"), [impatient(self.folder)], targets)
        self.prometheus.start()

    def has_data(self, expression):
        return any(math.isfinite(value) for _, value in self.prometheus.ask(expression))

    def until_data(self, questions, within=90):
        """`questions`: {what: expression}. Fails with those that got no answer in time."""
        left = dict(questions)

        def ask():
            for what in [what for what, expression in left.items() if self.has_data(expression)]:
                del left[what]
            return not left
        try:
            test_dev.until("data", within, ask)
        except AssertionError:
            check(False, "no data for\n" + "\n".join(f"{what}: {expression}" for what, expression in left.items()))
        return f"{len(questions)} queries"

    def until_firing(self, names, within=90):
        try:
            test_dev.until("alerts", within, lambda: names <= self.prometheus.firing())
        except AssertionError:
            check(False, f"these did not fire within {within} s: {names - self.prometheus.firing()}")
        return ", ".join(sorted(names))

    def stop(self):
        if self.prometheus:
            self.prometheus.stop()
        for process in (self.load, self.dev.process):
            if process and process.poll() is None:
                process.kill()
                process.wait()


def panels_have_data(watched, name):
    questions = {}
    for panel in board(name)["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"]
            for variable, value in VARIABLES.items():
                expression = expression.replace(variable, value)
            questions[f"{panel['title']} {target['refId']}"] = expression
    return watched.until_data(questions)


def alerts_have_data(watched, of_operator):
    questions = {}
    for name, expression in rules():
        for selector in SELECTOR.findall(expression):
            if selector not in NOT_METRICS and selector.startswith("moldau_operator") == of_operator:
                questions[f"{name} {selector}"] = selector
    return watched.until_data(questions)


# What Strimzi's boards and alerts ask for of brokers and of the active controller.
KAFKA_NAMES = """
kafka_server_replicamanager_leadercount kafka_server_replicamanager_partitioncount
kafka_server_replicamanager_underreplicatedpartitions kafka_server_replicamanager_underminisrpartitioncount
kafka_controller_kafkacontroller_activecontrollercount kafka_controller_kafkacontroller_offlinepartitionscount
kafka_controller_controllerstats_uncleanleaderelections_total
kafka_server_brokertopicmetrics_bytesin_total{topic!=""} kafka_server_brokertopicmetrics_bytesin_total{topic=""}
kafka_server_brokertopicmetrics_bytesout_total{topic!=""} kafka_server_brokertopicmetrics_messagesin_total{topic!=""}
kafka_server_brokertopicmetrics_totalproducerequests_total kafka_server_brokertopicmetrics_totalfetchrequests_total
kafka_server_brokertopicmetrics_failedproducerequests_total kafka_log_log_size{topic!="",partition!=""}
kafka_log_logmanager_offlinelogdirectorycount kafka_server_socket_server_metrics_connection_count
kafka_server_raftmetrics_current_leader kafka_server_raftmetrics_current_epoch kafka_server_raftmetrics_high_watermark
kafka_server_raftmetrics_current_state{current_state="leader"}
"""


def kafka_names_are_there(watched):
    names = KAFKA_NAMES.split()
    watched.until_data({name: name for name in names})
    same = {"sum(kafka_controller_kafkacontroller_activecontrollercount)": "sum(moldau_controller_leading)",
            "sum(kafka_server_replicamanager_leadercount)": "sum(moldau_led_partitions)"}
    for theirs, ours in same.items():
        equal(watched.prometheus.ask(theirs)[0][1], watched.prometheus.ask(ours)[0][1], theirs)
    return f"{len(names)} series"


def nothing_fires(watched):
    watched.dev.await_healthy()
    allowed = {"MoldauOperatorDown", "MoldauGroupFallsBehind"}  # there is none; there is one
    wrong = watched.prometheus.firing() - allowed
    check(not wrong, f"a healthy cluster has {wrong}")


def a_broker_dies(watched):
    watched.dev.dev("kill", "broker", "3")
    return watched.until_firing(FAULTS["broker"])


def a_broker_restarts(watched):
    watched.dev.dev("restart", "broker", "3")
    for times in range(1, 4):
        # Each process has to be seen once.
        seen = f'changes(process_start_time_seconds{{component="broker",node_id="3"}}[30m]) >= {times}'
        watched.until_data({f"start {times}": seen})
        watched.dev.await_healthy()
        if times < 3:
            watched.dev.dev("kill", "broker", "3")
            watched.dev.dev("restart", "broker", "3")
    return watched.until_firing(FAULTS["restarts"])


def a_controller_dies(watched):
    watched.dev.dev("kill", "controller", "1")
    return watched.until_firing(FAULTS["controller"])


def the_quorum_is_lost(watched):
    watched.dev.dev("kill", "controller", "2")
    return watched.until_firing(FAULTS["quorum"])


def told(watched, test):
    """A failure says what the foreground said: which node died, and when."""
    try:
        return test(watched)
    except Failed as failure:
        raise Failed(f"{failure}\nforeground:\n{watched.dev.said()[-3000:]}") from failure


def run_cluster(suite, binaries, more):
    scraped = {labels.get("component") for _, labels in more}
    with tempfile.TemporaryDirectory(prefix="moldau-observe-") as folder:
        watched = Watched(folder, binaries, more)
        try:
            if suite.run("observe: a cluster under load is scraped", watched.start) is not True:
                return
            boards = [name for name in dashboards.BOARDS if name != "operator" or "operator" in scraped]
            for name in boards:
                suite.run(f"observe: every panel of {name} has data", lambda name=name: panels_have_data(watched, name))
            suite.run("observe: every metric of an alert is there", lambda: alerts_have_data(watched, False))
            suite.run("observe: Kafka's names are there when asked for", lambda: kafka_names_are_there(watched))
            if "operator" in scraped:
                suite.run("observe: every metric of an operator's alert is there", lambda: alerts_have_data(watched, True))
            for name, test in (("nothing fires in health", nothing_fires), ("a broker dies", a_broker_dies),
                               ("a broker restarts again and again", a_broker_restarts),
                               ("a controller dies", a_controller_dies), ("the quorum is lost", the_quorum_is_lost)):
                suite.run(f"observe: alerts: {name}", lambda test=test: told(watched, test))
        finally:
            watched.stop()


FILES = (("dashboards are current", boards_are_current), ("dashboards are sound", boards_are_sound),
         ("alerts are whole", alerts_are_whole), ("alerts fire on series", alerts_fire_on_series))


def target(text):
    address, *labels = text.split(",")
    return address, dict(label.split("=", 1) for label in labels)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binaries", default="build/release/bin")
    parser.add_argument("--only", default="")
    parser.add_argument("--scrape", action="append", default=[], type=target,
                        help="HOST:PORT,component=operator,...: also scrape this; with an operator its board is asked too")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    suite = Suite(arguments.only or None, bool(os.environ.get("CI")), os.path.abspath("build/test-logs/observe"))
    for name, test in FILES:
        suite.run(f"observe: {name}", test)
    run_cluster(suite, arguments.binaries, arguments.scrape)
    print(suite.summary())
    sys.exit(suite.failed != 0 or suite.passed == 0)


if __name__ == "__main__":
    main()
