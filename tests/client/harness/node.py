"""A node under test: Moldau's `moldau dev`, or Apache Kafka as the oracle. Both are one process with a data
directory and a fixed port on 127.0.0.1, started, ended, killed and started again; ended by pid, always."""

import base64
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
import uuid

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STARTED = []  # every process this run started: cleaned up at the end, whatever happens
LOCK = threading.Lock()
GIVEN = set()


def free_port():
    """A port nobody listens on now, given out once in this run."""
    while True:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        with LOCK:
            if port not in GIVEN:
                GIVEN.add(port)
                return port


class NodeFailed(Exception):
    pass


class Node:
    """Owned by one test at a time."""

    name = "node"
    ready_within = 20

    def __init__(self, folder):
        self.folder = folder
        self.data = os.path.join(folder, "data")
        self.port = free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.process = None
        self.log_path = os.path.join(folder, "node.log")
        os.makedirs(self.data, exist_ok=True)

    def start(self):
        """Starts the process and waits until it is ready. Returns the seconds it took."""
        self.launch()
        return self.await_ready()

    def launch(self):
        with open(self.log_path, "a") as log:
            log.write(f"--- start {time.strftime('%H:%M:%S')}\n")
            log.flush()
            self.mark = log.tell()
            self.began = time.monotonic()
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True, env={**os.environ, **self.environment()})
        with LOCK:
            STARTED.append(self.process)

    def await_ready(self):
        began = self.began
        while not self.is_ready():
            if self.process.poll() is not None:
                raise NodeFailed(f"{self.name} ended with {self.process.returncode} at start:\n{self.log()[-3000:]}")
            if time.monotonic() - began > self.ready_within:
                self.kill()
                raise NodeFailed(f"{self.name} not ready in {self.ready_within} s:\n{self.log()[-3000:]}")
            time.sleep(0.005 if time.monotonic() - began < 1 else 0.1)
        return time.monotonic() - began

    def environment(self):
        return {}

    def log(self):
        """What the process has said since its last start."""
        with open(self.log_path, errors="replace") as file:
            file.seek(self.mark)
            return file.read()

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, within=30):
        """SIGTERM. Returns (seconds, exit status); kills it when it does not end."""
        if not self.alive():
            return 0.0, self.process.returncode if self.process else 0
        began = time.monotonic()
        self.process.terminate()
        try:
            status = self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
            status = "killed: it did not end"
        return time.monotonic() - began, status

    def kill(self):
        if self.alive():
            self.process.kill()
            self.process.wait(30)

    def restart(self):
        self.stop()
        return self.start()

    brokers_listed = (1,)  # how many the metadata may name

    def all_logs(self):
        """The log directory of each broker."""
        return [self.logs]

    def memory(self):
        """Resident bytes."""
        with open(f"/proc/{self.process.pid}/status") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        return 0

    def partition_folder(self, topic, partition):
        return os.path.join(self.logs, f"{topic}-{partition}")


# Members that die are missed sooner than Kafka's defaults allow, on either kind of node.
SHORT_SESSIONS = {"group.consumer.min.session.timeout.ms": "6000", "group.consumer.min.heartbeat.interval.ms": "1000"}


class Moldau(Node):
    name = "moldau"

    def __init__(self, folder, binary, settings=None, data=None):
        super().__init__(folder)
        self.binary = os.path.abspath(binary)
        self.http_port = free_port()
        # A join need not wait for company here, as in every test set-up of Kafka itself.
        self.settings = {"group.initial.rebalance.delay.ms": "0", **SHORT_SESSIONS, **(settings or {})}
        if data:
            self.data = data
        self.logs = os.path.join(self.data, "logs")

    def command(self):
        command = [self.binary, "dev", "--data-dir", self.data, "--port", str(self.port), "--http-port", str(self.http_port)]
        for key, value in self.settings.items():
            command += ["--set", f"{key}={value}"]
        return command

    def is_ready(self):
        return f"listening on 127.0.0.1:{self.port}" in self.log()


class MoldauCluster(Moldau):
    """Three brokers and three controllers, a process each, under one `moldau dev`."""

    name = "moldau cluster"
    ready_within = 60

    def __init__(self, folder, binary, settings=None):
        super().__init__(folder, binary, settings)
        # The ports beside the first are the other brokers': none of them may be one that the system gives away.
        self.port, self.http_port = (random.randrange(start, start + 480, 20) for start in (21000, 21500))
        self.bootstrap = f"127.0.0.1:{self.port}"

    def command(self):
        return [*super().command(), "--brokers", "3", "--controllers", "3"]

    brokers_listed = (2, 3)  # one may be starting anew

    def is_ready(self):
        return f"moldau is listening on 127.0.0.1:{self.port} " in self.log()

    def all_logs(self):
        return [os.path.join(self.data, f"broker-{number}", "data/logs") for number in (1, 2, 3)]

    def bootstrap_of_all(self):
        """Every broker's address: for who comes while one of them is down."""
        with open(os.path.join(self.data, "dev.json")) as file:
            return ",".join(each["kafka"] for each in json.load(file) if each["role"] == "broker")

    def dev(self, what, number):
        """`moldau dev stop|kill|restart|pause|resume broker NUMBER`"""
        subprocess.run([self.binary, "dev", what, "broker", str(number), "--data-dir", self.data], check=True, timeout=60,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


class Kafka(Node):
    """One Apache Kafka node, broker and controller. `lib` is the folder of jars (deps.kafka_lib)."""

    name = "kafka"
    ready_within = 90

    def __init__(self, folder, lib, settings=None):
        super().__init__(folder)
        self.lib = lib
        self.logs = os.path.join(self.data, "logs")
        self.properties = os.path.join(folder, "server.properties")
        controller = free_port()
        lines = {
            "node.id": "1", "process.roles": "broker,controller", "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}", "log.dirs": self.logs,
            "offsets.topic.replication.factor": "1", "offsets.topic.num.partitions": "8",
            "transaction.state.log.replication.factor": "1", "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4", "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1", "share.coordinator.state.topic.num.partitions": "4",
            "group.initial.rebalance.delay.ms": "0", **SHORT_SESSIONS, **(settings or {}),
        }
        with open(self.properties, "w") as file:
            file.writelines(f"{k}={v}\n" for k, v in lines.items())
        if not os.path.exists(os.path.join(self.logs, "meta.properties")):
            # The first letter must not look like an option.
            identity = "M" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]
            subprocess.run([*self.java("256M", "-XX:TieredStopAtLevel=1"), "kafka.tools.StorageTool", "format", "-t",
                            identity, "-c", self.properties], check=True, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)

    def java(self, heap, *flags):
        return ["java", f"-Xmx{heap}", *flags, f"-Dlog4j2.configurationFile={HERE}/kafka/log4j2.yaml",
                "-Dkafka.log.level=INFO", "-cp", os.path.join(self.lib, "*")]

    def command(self):
        return [*self.java("1G", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:+ExplicitGCInvokesConcurrent",
                           "-Djava.awt.headless=true"), "kafka.Kafka", self.properties]

    def is_ready(self):
        return "Kafka Server started" in self.log()


def end_all():
    """Ends every process this run has started and that still lives."""
    with LOCK:
        living = [p for p in STARTED if p.poll() is None]
    for process in living:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait(30)


def remove(folder):
    shutil.rmtree(folder, ignore_errors=True)
