"""Apache Kafka's own command-line tools against the node, with their output checked. One test per tool."""

import json
import os
import re

from harness import deps
from harness.proc import run
from harness.suite import check, equal

MAIN = {
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-features": "org.apache.kafka.tools.FeatureCommand",
    "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "kafka-log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "kafka-cluster": "org.apache.kafka.tools.ClusterTool",
    "kafka-features": "org.apache.kafka.tools.FeatureCommand",
    "kafka-broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
    "kafka-consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
    "kafka-transactions": "org.apache.kafka.tools.TransactionsCommand",
    "kafka-dump-log": "org.apache.kafka.tools.DumpLogSegments",
}


class Tools:
    """Runs tools against one node."""

    def __init__(self, lib, bootstrap, folder):
        self.lib, self.bootstrap, self.folder = lib, bootstrap, folder

    def run(self, name, *arguments, bootstrap=True, **options):
        server = ["--bootstrap-server", self.bootstrap] if bootstrap else []
        return run(["java", "-Xmx256M", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
                    f"-Dlog4j2.configurationFile={deps.HERE}/kafka/log4j2.yaml", "-cp", os.path.join(self.lib, "*"),
                    MAIN[name], *server, *arguments], **{"timeout": 60, **options})

    def out(self, name, *arguments, **options):
        return self.run(name, *arguments, **options).out

    def fill(self, topic, lines, *options):
        """Produces `key:value` lines through the console producer."""
        self.run("kafka-console-producer", "--topic", topic, "--reader-property", "parse.key=true", "--reader-property",
                 "key.separator=:", *options, stdin="".join(line + "\n" for line in lines))


def topics(tools):
    tools.out("kafka-topics", "--create", "--topic", "tools.topics", "--partitions", "2", "--replication-factor", "1",
              "--config", "segment.bytes=1048576")
    again = tools.run("kafka-topics", "--create", "--topic", "tools.topics", ok=False)
    check(again.status == 1 and "already exists" in again.out + again.err, "creating it twice:\n" + again.text())
    tools.out("kafka-topics", "--create", "--topic", "tools.topics", "--if-not-exists")
    check("tools.topics" in tools.out("kafka-topics", "--list").splitlines(), "the topic is listed")
    tools.out("kafka-topics", "--alter", "--topic", "tools.topics", "--partitions", "3")
    described = tools.out("kafka-topics", "--describe", "--topic", "tools.topics")
    check(re.search(r"Topic: tools.topics\s+TopicId: \S{22}\s+PartitionCount: 3\s+ReplicationFactor: 1\s+Configs: "
                    r".*segment.bytes=1048576", described), described)
    equal(len(re.findall(r"Partition: \d\s+Leader: \d+\s+Replicas: \d+\s+Isr: \d+", described)), 3, described)
    equal(tools.out("kafka-topics", "--describe", "--under-replicated-partitions").strip(), "", "under-replicated partitions")
    tools.out("kafka-topics", "--delete", "--topic", "tools.topics")
    check("tools.topics" not in tools.out("kafka-topics", "--list").splitlines(), "the topic is gone")
    bad = tools.run("kafka-topics", "--create", "--topic", "tools/bad", ok=False)
    check(bad.status == 1 and "invalid" in (bad.out + bad.err).lower(), "a bad name:\n" + bad.text())
    bad = tools.run("kafka-topics", "--create", "--topic", "tools.far", "--replication-factor", "3", ok=False)
    check(bad.status == 1 and "eplication factor" in bad.out + bad.err, "too many replicas:\n" + bad.text())
    bad = tools.run("kafka-topics", "--create", "--topic", "tools.conf", "--config", "retention.ms=soon", ok=False)
    check(bad.status == 1, "a bad config:\n" + bad.text())


def configs(tools):
    tools.out("kafka-topics", "--create", "--topic", "tools.configs", "--config", "retention.ms=1000000")
    entity = ["--entity-type", "topics", "--entity-name", "tools.configs"]
    described = tools.out("kafka-configs", "--describe", *entity)
    check("retention.ms=1000000" in described and "DYNAMIC_TOPIC_CONFIG:retention.ms=1000000" in described, described)
    tools.out("kafka-configs", "--alter", *entity, "--add-config", "cleanup.policy=[compact,delete],max.message.bytes=2000000")
    tools.out("kafka-configs", "--alter", *entity, "--delete-config", "retention.ms")
    described = tools.out("kafka-configs", "--describe", "--all", *entity)
    check("cleanup.policy=compact,delete" in described and "max.message.bytes=2000000" in described, described)
    check("  retention.ms=604800000" in described, described)
    bad = tools.run("kafka-configs", "--alter", *entity, "--add-config", "no.such.config=1", ok=False)
    check(bad.status != 0, "an unknown config is refused:\n" + bad.text())
    nodes = tools.out("kafka-broker-api-versions")
    broker = re.search(r"\(id: (\d+) ", nodes).group(1)
    described = tools.out("kafka-configs", "--describe", "--all", "--entity-type", "brokers", "--entity-name", broker)
    for name in ("log.retention.hours", "auto.create.topics.enable", "num.partitions", "message.max.bytes",
                 "delete.topic.enable", "min.insync.replicas"):
        check(f"  {name}=" in described, f"the broker says its {name}:\n{described[:3000]}")
    tools.out("kafka-configs", "--describe", "--entity-type", "brokers", "--entity-default")
    tools.out("kafka-topics", "--delete", "--topic", "tools.configs")


def offsets(tools):
    tools.out("kafka-topics", "--create", "--topic", "tools.offsets", "--partitions", "1")
    tools.fill("tools.offsets", [f"k{i}:v{i}" for i in range(10)])

    def at(time):
        return tools.out("kafka-get-offsets", "--topic", "tools.offsets", "--time", time).strip()
    equal(at("-1"), "tools.offsets:0:10", "latest")
    equal(at("-2"), "tools.offsets:0:0", "earliest")
    equal(at("1"), "tools.offsets:0:0", "after 1970")
    check(re.fullmatch(r"tools.offsets:0:\d", at("-3")), "max timestamp: " + at("-3"))
    path = os.path.join(tools.folder, "delete.json")
    with open(path, "w") as file:
        json.dump({"partitions": [{"topic": "tools.offsets", "partition": 0, "offset": 4}], "version": 1}, file)
    deleted = tools.out("kafka-delete-records", "--offset-json-file", path)
    check(re.search(r"partition: tools.offsets-0\s+low_watermark: 4", deleted), deleted)
    equal(at("earliest"), "tools.offsets:0:4", "earliest after deleting records")
    read = tools.out("kafka-console-consumer", "--topic", "tools.offsets", "--from-beginning", "--max-messages", "6",
                     "--timeout-ms", "20000")
    equal(read.split(), [f"v{i}" for i in range(4, 10)], "what is left")


def cluster(tools):
    identity = tools.out("kafka-cluster", "cluster-id", "--bootstrap-server", tools.bootstrap, bootstrap=False)
    check(re.search(r"Cluster ID: \S{22}", identity), identity)
    endpoints = tools.out("kafka-cluster", "list-endpoints", "--bootstrap-server", tools.bootstrap, bootstrap=False)
    check(re.search(r"127\.0\.0\.1\s+" + tools.bootstrap.split(":")[1], endpoints), endpoints)
    versions = tools.out("kafka-broker-api-versions")
    check(tools.bootstrap in versions and re.search(r"Produce\(0\): \d+ to (9|1\d)", versions), versions)
    check("ERROR" not in versions, versions)
    features = tools.out("kafka-features", "describe")
    # A tool that is older than the level calls it `UNKNOWN 33`.
    check(re.search(r"Feature: metadata.version\s+SupportedMinVersion: \S.*\s+SupportedMaxVersion: \S.*\s+"
                    r"FinalizedVersionLevel: \S", features), features)


def log_dirs(tools):
    tools.out("kafka-topics", "--create", "--topic", "tools.dirs", "--partitions", "2")
    tools.fill("tools.dirs", [f"{i}:{i}" for i in range(10)])
    out = tools.out("kafka-log-dirs", "--describe", "--topic-list", "tools.dirs")
    report = json.loads(out[out.index("{"):].strip().splitlines()[0])
    dirs = report["brokers"][0]["logDirs"]
    equal(len(dirs), 1, "log directories")
    check(dirs[0]["error"] is None, f"its error: {dirs[0]}")
    parts = {p["partition"]: p["size"] for p in dirs[0]["partitions"]}
    check(set(parts) == {"tools.dirs-0", "tools.dirs-1"} and sum(parts.values()) > 0, f"its partitions: {parts}")


def console(tools):
    topic = "tools.console"
    tools.out("kafka-topics", "--create", "--topic", topic, "--partitions", "3")
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        tools.fill(topic, [f"{codec}{i}:value {i}" for i in range(20)], "--compression-codec", codec)
    out = tools.out("kafka-console-consumer", "--topic", topic, "--from-beginning", "--max-messages", "100", "--timeout-ms",
                    "30000", "--group", "tools.group", "--formatter-property", "print.key=true", "--formatter-property",
                    "print.partition=true", "--formatter-property", "print.offset=true")
    lines = [line for line in out.splitlines() if "value" in line]
    equal(len(lines), 100, "records read")
    equal(len({re.search(r"(\w+\d+)\tvalue", line).group(1) for line in lines}), 100, "distinct keys")


def groups(tools):
    """On the group that the console consumer left behind."""
    check("tools.group" in tools.out("kafka-consumer-groups", "--list").split(), "the group is listed")
    described = tools.out("kafka-consumer-groups", "--describe", "--group", "tools.group")
    rows = [line.split() for line in described.splitlines() if line.startswith("tools.group")]
    equal(len(rows), 3, described)
    equal(sum(int(row[3]) for row in rows), 100, "CURRENT-OFFSET:\n" + described)
    equal({row[5] for row in rows}, {"0"}, "LAG:\n" + described)
    state = tools.out("kafka-consumer-groups", "--describe", "--group", "tools.group", "--state")
    check(re.search(r"tools.group .*\(\d+\).*Empty\s+0", state), state)
    reset = tools.out("kafka-consumer-groups", "--reset-offsets", "--group", "tools.group", "--topic", "tools.console",
                      "--to-earliest", "--execute")
    equal(len(re.findall(r"tools.group\s+tools.console\s+\d\s+0\b", reset)), 3, reset)
    again = tools.out("kafka-console-consumer", "--topic", "tools.console", "--max-messages", "100", "--timeout-ms", "30000",
                      "--group", "tools.group")
    equal(len(again.splitlines()), 100, "records read again after the reset")
    deleted = tools.out("kafka-consumer-groups", "--delete", "--group", "tools.group")
    check("successful" in deleted, deleted)
    check("tools.group" not in tools.out("kafka-consumer-groups", "--list").split(), "the group is gone")


def perf(tools):
    """Fills several segments, for dump-log to look at afterwards."""
    topic = "tools.perf"
    tools.out("kafka-topics", "--create", "--topic", topic, "--partitions", "1", "--config", "segment.bytes=1048576")
    out = tools.out("kafka-producer-perf-test", "--topic", topic, "--num-records", "6000", "--record-size", "1000",
                    "--throughput", "-1", "--producer-props", f"bootstrap.servers={tools.bootstrap}", "acks=all",
                    bootstrap=False)
    check(re.search(r"6000 records sent, [\d.]+ records/sec", out), out)
    out = tools.out("kafka-consumer-perf-test", "--topic", topic, "--num-records", "6000", "--timeout", "30000")
    check(re.search(r", 6000, ", out), out)
    return next(line for line in out.splitlines() if ", 6000, " in line)


COMPLAINTS = re.compile(r"mismatch|out of order|did not match|Found|corrupt|fail|isvalid: false|missing|Non-consecutive|"
                        r"Exception", re.I)


def dump_log(tools, node):
    """After the node has ended: Kafka's own reader finds nothing wrong in our files."""
    folder = node.partition_folder("tools.perf", 0)
    files = sorted(os.listdir(folder))
    logs = [f for f in files if f.endswith(".log")]
    check(len(logs) >= 4, f"the perf test filled several segments: {files}")
    for suffix in (".index", ".timeindex"):
        equal([f for f in files if f.endswith(suffix)], [f.removesuffix(".log") + suffix for f in logs], f"files {suffix}")

    def dump(names, *options):
        return tools.out("kafka-dump-log", "--files", ",".join(os.path.join(folder, f) for f in names), *options,
                         bootstrap=False)
    data = dump(logs, "--deep-iteration")
    complaint = [line for line in data.splitlines() if COMPLAINTS.search(line)]
    equal(complaint, [], "complaints about the segments")
    equal(len(re.findall(r"^\| offset: ", data, re.M)), 6000, "records in the segments")
    indexes = dump([f for f in files if f.endswith((".index", ".timeindex"))])
    complaint = [line for line in indexes.splitlines() if COMPLAINTS.search(line)]
    equal(complaint, [], "complaints about the indexes")
    check(len(re.findall(r"offset: \d+ position: \d+", indexes)) >= len(logs), "entries in the offset indexes:\n" + indexes)
    check(len(re.findall(r"timestamp: \d+ offset: \d+", indexes)) >= len(logs), "entries in the time indexes:\n" + indexes)
    sane = dump([f for f in files if f.endswith((".index", ".timeindex"))], "--index-sanity-check")
    equal(len(re.findall("passed sanity check", sane)), 2 * len(logs), "sane indexes:\n" + sane)
    snapshots = [f for f in files if f.endswith(".snapshot")]
    check(snapshots, f"producer snapshots are there: {files}")
    out = dump(snapshots)
    check("producerId" in out and not re.search("exception", out, re.I), "producer snapshots:\n" + out)
    consumer_offsets = [f for f in os.listdir(node.logs) if f.startswith("__consumer_offsets-")]
    decoded = 0
    for name in consumer_offsets:
        path = os.path.join(node.logs, name)
        parts = [f for f in sorted(os.listdir(path)) if f.endswith(".log") and os.path.getsize(os.path.join(path, f))]
        if parts and decoded < 2:
            out = tools.out("kafka-dump-log", "--offsets-decoder", "--files", ",".join(os.path.join(path, f) for f in parts),
                            bootstrap=False)
            check("key: {" in out and not re.search("exception|could not", out, re.I), "the group records:\n" + out[:3000])
            decoded += 1
    check(decoded, "group records on disk")


def run_tools(suite, node, install, folder):
    """The tools on a running node. dump_log is for later, when it has ended."""
    def with_tools(test):
        return lambda: test(Tools(deps.kafka_lib(install), node.bootstrap, folder))

    def console_and_groups(tools):
        console(tools)
        groups(tools)
    suite.run_all([
        ("tool kafka-console-producer, kafka-console-consumer, kafka-consumer-groups", with_tools(console_and_groups)),
        ("tool kafka-topics", with_tools(topics)),
        ("tool kafka-configs", with_tools(configs)),
        ("tool kafka-get-offsets, kafka-delete-records", with_tools(offsets)),
        ("tool kafka-cluster, kafka-features, kafka-broker-api-versions", with_tools(cluster)),
        ("tool kafka-log-dirs", with_tools(log_dirs)),
        ("tool kafka-producer-perf-test, kafka-consumer-perf-test", with_tools(perf)),
    ], at_once=2)


def run_dump_log(suite, node, install, folder):
    suite.run("tool kafka-dump-log", lambda: dump_log(Tools(deps.kafka_lib(install), node.bootstrap, folder), node))
