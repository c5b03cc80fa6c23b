"""What is measured: every workload with the group that shares one start of a broker, its metrics, and the ratio to
reach. Volumes are of the full run; `Scale` makes them smaller for --quick."""

import time
from dataclasses import dataclass, field

from pages import CYCLE

PARTITIONS = 100


@dataclass(frozen=True)
class Metric:
    key: str                 # in what the workload returns
    unit: str
    title: str
    target: float | None = None  # ours / Kafka's, at most
    more_is_better: bool = False


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    group: str
    metrics: tuple
    run: object = field(repr=False)  # (node, load, scale) -> {metric key: value, ...}


@dataclass(frozen=True)
class Scale:
    """How much: seconds of measured load, records before it (the JVM compiles its hot paths meanwhile)."""
    seconds: float
    open_loop_seconds: float
    warm_records: int
    closed_loop_records: int  # 0: not measured
    consume_passes: int
    crash_gb: float


FULL = Scale(15, 20, 1_000_000, 600_000, 15, 10)
QUICK = Scale(5, 8, 800_000, 0, 6, 2)


# Rates offered are about half of what Kafka can take here from this client, as the method wants it.
def produce(name, partitions, size, rate, acks, *settings, text=False):
    def run(node, load, scale):
        node.create_topic(name, partitions)
        common = ["--topic", name, "--size", str(size), *(["--text"] if text else [])]
        for setting in (f"acks={acks}", *settings):
            common += ["--set", setting]
        result = load("produce", *common, "--warm", scale.warm_records, "--rate", rate, "--records", int(rate * scale.seconds))
        result["cpu_s_per_gb"] = result["broker_cpu_s"] / result["bytes"] * 1e9
        result["cpu_us_per_record"] = result["broker_cpu_s"] / result["records"] * 1e6
        result["behind"] = result["seconds"] / scale.seconds - 1
        if scale.closed_loop_records:
            closed = load("produce", *common, "--records", scale.closed_loop_records)
            result["closed_loop_rate"] = closed["records"] / closed["seconds"] / 1e3
        return result
    return run


def consume(node, load, scale):
    records = 200_000  # must stay in the page cache
    node.create_topic("consume", PARTITIONS)
    load("produce", "--topic", "consume", "--set", "acks=1", "--records", records)
    result = load("consume", "--topic", "consume", "--partitions", PARTITIONS, "--records", records,
                  "--passes", scale.consume_passes)
    result["cpu_s_per_gb"] = result["broker_cpu_s"] / result["bytes"] * 1e9
    result["closed_loop_rate"] = result["records"] / result["seconds"] / 1e3
    return result


def open_loop(rate):
    def run(node, load, scale):
        warm, topic = f"warm-{rate}", f"open-{rate}"
        node.create_topic(warm, 1)
        node.create_topic(topic, 1)
        # Small requests at first, as many as the JVM wants to see before it has compiled their path.
        load("produce", "--topic", warm, "--size", 512, "--records", scale.warm_records, "--set", "acks=all",
             "--set", "batch.size=16384")
        return load("openloop", "--topic", topic, "--rate", rate, "--seconds", scale.open_loop_seconds, "--warm-seconds", 4,
                    "--set", "acks=all", "--set", "linger.ms=0")
    return run


def cycle(node, load):
    """Writes enough that the page cache of the broker's cgroup consists of pages that it has used before; the JVM
    compiles its hot paths meanwhile."""
    node.create_topic("cycle", 1)
    load("produce", "--topic", "cycle", "--set", "acks=1", "--records", CYCLE // 1024)


def rss_idle(node, load, scale):
    time.sleep(3)
    return {"rss_mb": node.rss_mb()}


def rss_loaded(node, load, scale):
    return {"rss_mb": node.rss_mb()}


CPU_GB = ("cpu_s_per_gb", "s/GB", "broker CPU per GB")
CPU_RECORD = ("cpu_us_per_record", "us", "broker CPU per record")
RATE = Metric("closed_loop_rate", "k/s", "records/s, closed loop", more_is_better=True)

WORKLOADS = (
    Workload("rss-idle", "memory, idle", "volume", (Metric("rss_mb", "MB", "RSS", 0.05),), rss_idle),
    Workload("produce-1k", "produce 1 KiB, 100 partitions, acks=1", "volume", (Metric(*CPU_GB, 0.20), RATE),
             produce("produce-1k", PARTITIONS, 1024, 125_000, 1)),
    Workload("consume-1k", "consume 1 KiB, hot, 100 partitions", "volume", (Metric(*CPU_GB, 0.5), RATE), consume),
    Workload("rss-loaded", "memory, after produce and consume", "volume", (Metric("rss_mb", "MB", "RSS", 0.05),), rss_loaded),
    Workload("produce-100b", "produce 100 B, acks=1", "small", (Metric(*CPU_RECORD, 0.20), RATE),
             produce("produce-100b", 1, 100, 600_000, 1)),
    Workload("produce-zstd", "produce 100 B text, zstd, acks=1", "small",
             (Metric("cpu_s_per_gb", "s/GB", "broker CPU per raw GB", 0.08),),
             produce("produce-zstd", 1, 100, 600_000, 1, "compression.type=zstd", text=True)),
    Workload("produce-16k", "produce 1 KiB in 16 KB requests, acks=1", "requests", (Metric(*CPU_RECORD, 0.15), RATE),
             produce("produce-16k", 1, 1024, 60_000, 1, "batch.size=16384")),
    Workload("produce-idempotent", "produce 1 KiB, idempotent, acks=all, 100 partitions", "requests", (Metric(*CPU_GB, 0.30), RATE),
             produce("produce-idempotent", PARTITIONS, 1024, 125_000, "all", "enable.idempotence=true")),
    Workload("open-1000", "open loop, 1,000/s of 512 B, acks=all", "latency",
             (Metric("p50_us", "us", "ack p50", 1.3), Metric("p99_us", "us", "ack p99", 0.6),
              Metric("p999_us", "us", "ack p99.9"), Metric("broker_cpu_s", "s", "broker CPU")), open_loop(1000)),
    Workload("open-5000", "open loop, 5,000/s of 512 B, acks=all", "latency",
             (Metric("p50_us", "us", "ack p50", 1.2), Metric("p99_us", "us", "ack p99", 0.15),
              Metric("p999_us", "us", "ack p99.9", 0.3), Metric("broker_cpu_s", "s", "broker CPU", 0.35)), open_loop(5000)),
    Workload("start", "ready after start, empty", "start", (Metric("ready_s", "s", "start to first answer", 0.05),), None),
    Workload("crash", "ready after kill -9 under {crash_gb:g} GB of logs", "crash",
             (Metric("ready_s", "s", "start to first answer", 0.05),), None),
)
GROUPS = tuple(dict.fromkeys(w.group for w in WORKLOADS))
