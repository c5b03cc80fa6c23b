"""The processes of a cluster, one a machine: controllers and brokers, with their configuration, log and data. Ended by
pid, always."""

import ctypes
import os
import signal
import subprocess
import time

import machines

KAFKA, INTERNAL, GRPC, HTTP = 9092, 9091, 9094, 9644
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def die_with_us():
    """In a child: it is killed when the run is."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Node:
    """One program on one machine. `data` is its data directory, possibly a file system of its own."""

    def __init__(self, machine, folder, program, role, number, config):
        self.machine, self.folder, self.role, self.number = machine, folder, role, number
        self.name = f"{role} {number}"
        self.data = os.path.join(folder, "data")
        self.program = program
        self.process = None
        self.paused = False
        self.mounted = False
        os.makedirs(self.data, exist_ok=True)
        self.config = os.path.join(folder, "config.yaml")
        with open(self.config, "w") as file:
            for key, value in {**config, "node.id": number, "log.dirs": self.data}.items():
                file.write(f"{key}: \"{value}\"\n" if isinstance(value, str) else f"{key}: {value}\n")

    def small_disk(self, megabytes):
        """A file system of its own that can be filled."""
        machines.make_disk(self.data, os.path.join(self.folder, "disk.img"), megabytes)
        self.mounted = True

    def start(self):
        with open(os.path.join(self.folder, "log"), "a") as log:
            log.write(f"--- start {time.strftime('%H:%M:%S')}\n")
            log.flush()
            self.process = subprocess.Popen(
                self.machine.command(self.program, "--config", self.config), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True, preexec_fn=die_with_us)
        self.paused = False

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def ready(self):
        """As the node itself says, asked from its own machine."""
        return self.get("/readyz") is not None

    def get(self, path):
        """What its HTTP port answers, or None where it is not 200."""
        result = subprocess.run(self.machine.command("curl", "-s", "-f", "-m", "2", f"http://127.0.0.1:{HTTP}{path}"),
                                stdin=subprocess.DEVNULL, capture_output=True, text=True)
        return None if result.returncode else result.stdout

    def signal(self, number):
        if self.alive():
            os.kill(self.process.pid, number)  # `ip netns exec` becomes the program: the pid is its own

    def kill(self):
        self.signal(signal.SIGKILL)
        if self.process:
            self.process.wait(30)

    def stop(self, within=30):
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(within) if self.process else 0
        except subprocess.TimeoutExpired:
            self.kill()
            return "killed: it did not end"

    def pause(self):
        self.signal(signal.SIGSTOP)
        self.paused = True

    def resume(self):
        self.signal(signal.SIGCONT)
        self.paused = False

    def fill(self):
        """Takes all the space there is."""
        path = os.path.join(self.data, "filler")
        with open(path, "wb", buffering=0) as file:
            chunk = 1 << 26
            while chunk >= 1 << 12:  # in ever smaller pieces, to the last block
                try:
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, chunk)
                except OSError:
                    chunk >>= 1

    def drain(self):
        try:
            os.unlink(os.path.join(self.data, "filler"))
        except FileNotFoundError:
            pass

    def log(self):
        with open(os.path.join(self.folder, "log"), errors="replace") as file:
            return file.read()

    def close(self):
        if self.paused:
            self.resume()
        self.kill()

class Cluster:
    """Three controllers and `brokers` brokers (or as many as asked for) on machines of `network`."""

    def __init__(self, network, folder, binaries, brokers=3, controllers=3, disk_mb=0, settings=None):
        self.network = network
        self.controllers, self.brokers = [], []
        machines = [network.add() for _ in range(controllers + brokers)]
        voters = ",".join(f"{i + 1}@{m.address}:{GRPC}" for i, m in enumerate(machines[:controllers]))
        for i, machine in enumerate(machines):
            is_controller = i < controllers
            role = "controller" if is_controller else "broker"
            number = i + 1 if is_controller else i + 1 - controllers
            config = {"controller.quorum.voters": voters, "moldau.http.listen": f"127.0.0.1:{HTTP}"}
            if is_controller:
                config["moldau.grpc.listen"] = f"{machine.address}:{GRPC}"
            else:
                config["listeners"] = f"PLAINTEXT://{machine.address}:{KAFKA},INTERNAL://{machine.address}:{INTERNAL}"
                config["listener.security.protocol.map"] = "PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT"
                config["inter.broker.listener.name"] = "INTERNAL"
                config.update(settings or {})
            home = os.path.join(folder, role + str(number))
            os.makedirs(home)
            node = Node(machine, home, os.path.join(binaries, "moldau-" + role), role, number, config)
            (self.controllers if is_controller else self.brokers).append(node)
            if disk_mb and not is_controller:
                node.small_disk(disk_mb)

    @property
    def nodes(self):
        return self.controllers + self.brokers

    @property
    def bootstrap(self):
        return ",".join(f"{b.machine.address}:{KAFKA}" for b in self.brokers)

    def start(self, within=30):
        for node in self.nodes:
            node.start()
        self.await_ready(within)

    def await_ready(self, within=30):
        until = time.monotonic() + within
        waiting = list(self.nodes)
        while waiting:
            waiting = [n for n in waiting if not n.ready()]
            for node in waiting:
                if not node.alive():
                    raise RuntimeError(f"{node.name} ended by itself:\n{node.log()[-2000:]}")
            if waiting and time.monotonic() > until:
                raise RuntimeError("not ready: " + ", ".join(n.name for n in waiting) + "\n" + waiting[0].log()[-2000:])
            time.sleep(0.05)

    def close(self):
        for node in self.nodes:
            node.close()
