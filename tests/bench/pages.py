"""Keeps page-cache noise the same for both sides. On virtual machines a page that was never used costs
microseconds when it is first touched, so an append is cheap or dear by accident. Two controls, the first that works:

cgroup   each broker runs in a memory cgroup of its own with room for its own memory and a small page cache (v1 and
         v2); a warm-up writes a multiple of that, so that every page it takes is one that it gave back;
none     no cgroup may be made here: the warm-up is all there is, and the spread says what that is worth."""

import os
import subprocess
import sys

CACHE = 384 << 20  # page cache of either broker
# What it needs besides: Kafka its heap of 1 GiB and what else its JVM takes, Moldau about its RSS after load.
OWN = {"kafka": 1400 << 20, "moldau": 64 << 20}
CYCLE = 3 * CACHE  # to be written before anything is measured


class Cgroup:
    """A memory cgroup of one broker. Made before the broker starts, removed after it has ended."""

    def __init__(self, root, name, limit_file, limit):
        self.path = os.path.join(root, name)
        os.mkdir(self.path)
        try:
            with open(os.path.join(self.path, limit_file), "w") as file:
                file.write(str(limit))
        except OSError:
            os.rmdir(self.path)
            raise

    def enter(self, pid=None):
        """Moves the process into it, the calling one when none is named."""
        with open(os.path.join(self.path, "cgroup.procs"), "w") as file:
            file.write(str(pid or os.getpid()))

    def remove(self):
        os.rmdir(self.path)


class Control:
    """Chooses the control once; then hands out groups."""

    def __init__(self):
        self.count = 0
        self.kind, self.root, self.limit_file = "none", None, None
        for kind, root, limit_file in (("cgroup v1", "/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
                                       ("cgroup v2", "/sys/fs/cgroup", "memory.max")):
            try:
                Cgroup(root, f"moldau-bench-{os.getpid()}-probe", limit_file, CACHE).remove()
            except OSError:
                continue
            self.kind, self.root, self.limit_file = kind, root, limit_file
            break

    def describe(self):
        if self.root:
            return (f"{self.kind}: each broker in a memory cgroup with {CACHE >> 20} MiB of page cache "
                    f"(and {OWN['kafka'] >> 20} MiB for Kafka, {OWN['moldau'] >> 20} MiB for Moldau), cycled before the runs")
        return "not controlled: no memory cgroup can be made here"

    def group(self, side):
        """A group for one broker, or None."""
        if not self.root:
            return None
        self.count += 1
        return Cgroup(self.root, f"moldau-bench-{os.getpid()}-{self.count}", self.limit_file, CACHE + OWN[side])


_PROBE = ("import os, sys, time\n"
          "data = os.urandom(1 << 16)\n"
          "with open(sys.argv[1], 'wb', buffering=0) as file:\n"
          "    began = time.process_time()\n"
          "    for _ in range(1 << 10): file.write(data)\n"
          "    print((time.process_time() - began) / (1 << 26) * 1e9)\n")


def probe(group, folder):
    """CPU seconds per GB of plain writes of 64 KiB among the broker's pages: 0.2 where pages are warm, ten times that
    where they are not. Says what the kernel's part of a figure is worth."""
    path = os.path.join(folder, "probe")
    done = subprocess.run([sys.executable, "-c", _PROBE, path], check=True, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, preexec_fn=group.enter if group else None)
    os.unlink(path)
    return float(done.stdout)
