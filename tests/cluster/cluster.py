"""A cluster of real processes on 127.0.0.1: controllers and brokers from configuration files written here, on
ports that were free. Each process is a Node of the client harness: started, ended, killed, started again."""

import os
import sys
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/client"))
from harness import node as nodes  # noqa: E402


class Member(nodes.Node):
    ready_within = 30

    def __init__(self, folder, binary, settings):
        os.makedirs(folder, exist_ok=True)
        super().__init__(folder)
        self.binary = os.path.abspath(binary)
        self.http_port = nodes.free_port()
        self.config = os.path.join(folder, "config.yaml")
        self.settings = {"moldau.http.listen": f"127.0.0.1:{self.http_port}", "moldau.data.dir": self.data, **settings}

    def command(self):
        with open(self.config, "w") as file:
            file.writelines(f'{key}: "{value}"\n' for key, value in self.settings.items())
        return [self.binary, "--config", self.config, "--log-level", "info", "--log-format", "text"]

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=5) as answer:
            return answer.read().decode()

    def metric(self, name, label=""):
        """The sum over a metric's labels, or those lines that have this one (name="value")."""
        lines = [line for line in self.get("/metrics").splitlines()
                 if line.split("{")[0].split(" ")[0] == name and label in line]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def is_ready(self):
        try:
            self.get("/readyz")
            return True
        except (OSError, urllib.error.URLError):
            return False


class Controller(Member):
    def __init__(self, folder, binary, id_, grpc, voters):
        super().__init__(folder, binary, {
            "node.id": id_, "controller.quorum.voters": voters, "moldau.grpc.listen": f"127.0.0.1:{grpc}",
            "log.dirs": os.path.join(folder, "data")})
        self.name = f"controller {id_}"
        self.id = id_


class Broker(Member):
    def __init__(self, folder, binary, id_, voters, settings):
        super().__init__(folder, binary, {})
        self.internal = nodes.free_port()
        self.logs = os.path.join(self.data, "logs")
        listeners = f"PLAINTEXT://127.0.0.1:{self.port},INTERNAL://127.0.0.1:{self.internal}"
        self.settings.update({
            "node.id": id_, "controller.quorum.voters": voters, "listeners": listeners,
            "inter.broker.listener.name": "INTERNAL", "log.dirs": self.logs, "moldau.reactors": "2",
            "group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "8", **settings})
        self.name = f"broker {id_}"
        self.id = id_


class Cluster:
    def __init__(self, folder, binaries, brokers=3, controllers=3, settings=None):
        ports = [nodes.free_port() for _ in range(controllers)]
        voters = ",".join(f"{i + 1}@127.0.0.1:{port}" for i, port in enumerate(ports))
        self.controllers = [
            Controller(os.path.join(folder, f"controller-{i + 1}"), os.path.join(binaries, "moldau-controller"), i + 1,
                       port, voters) for i, port in enumerate(ports)]
        self.brokers = [
            Broker(os.path.join(folder, f"broker-{i + 1}"), os.path.join(binaries, "moldau-broker"), i + 1, voters,
                   settings or {}) for i in range(brokers)]
        self.bootstrap = ",".join(broker.bootstrap for broker in self.brokers)

    def members(self):
        return self.controllers + self.brokers

    def start(self):
        # Nobody is ready before a majority of controllers lives: all are begun first.
        for member in self.members():
            member.launch()
        for member in self.members():
            member.await_ready()

    def broker(self, id_):
        return self.brokers[id_ - 1]

    def stop(self):
        """Orderly: brokers first, they want to tell the controllers. [(name, seconds, status)]"""
        return [(member.name, *member.stop()) for member in self.brokers + self.controllers]

    def logs(self):
        parts = []
        for member in self.members():
            if os.path.exists(member.log_path):
                with open(member.log_path, errors="replace") as file:
                    parts.append(f"--- {member.name}\n{file.read()[-1500:]}")
        return "\n".join(parts)
