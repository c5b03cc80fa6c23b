"""Keeps page-cache noise the same for both sides. On virtual machines a page that was never used costs
microseconds when it is first touched, so an append is cheap or dear by accident. Two controls, the first that works:

cgroup   each broker runs in a memory cgroup of its own that is filled before it works, so that every page it takes
         is one that it gave back (v1 and v2);
warmed   no cgroup may be made: as many pages as a cgroup would hold are touched, in the page cache, and freed."""

import os
import subprocess
import sys

LIMIT = 3 << 30  # Kafka's heap of 1 GiB, what else its JVM takes, and the page cache of a run

_READ_THROUGH = ("import sys\n"
                 "with open(sys.argv[1], 'rb', buffering=0) as file:\n"
                 "    buffer = bytearray(1 << 20)\n"
                 "    while file.readinto(buffer): pass\n")


class Cgroup:
    """A memory cgroup of one broker. Made before the broker starts, removed after it has ended."""

    def __init__(self, root, name, limit_file):
        self.path = os.path.join(root, name)
        os.mkdir(self.path)
        with open(os.path.join(self.path, limit_file), "w") as file:
            file.write(str(LIMIT))

    def enter(self):
        """Moves the calling process into it."""
        with open(os.path.join(self.path, "cgroup.procs"), "w") as file:
            file.write(str(os.getpid()))

    def remove(self):
        # Pages of deleted files are given back first; what is left moves to the parent.
        os.rmdir(self.path)


class Control:
    def __init__(self):
        self.count = 0
        self.kind, self.root, self.limit_file = "warmed", None, None
        for kind, root, limit_file in (("cgroup v1", "/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
                                       ("cgroup v2", "/sys/fs/cgroup", "memory.max")):
            if self._works(root, limit_file):
                self.kind, self.root, self.limit_file = kind, root, limit_file
                break

    def _works(self, root, limit_file):
        try:
            probe = Cgroup(root, f"moldau-bench-probe-{os.getpid()}", limit_file)
        except OSError:
            try:
                os.rmdir(os.path.join(root, f"moldau-bench-probe-{os.getpid()}"))
            except OSError:
                pass
            return False
        probe.remove()
        return True

    def describe(self):
        size = f"{LIMIT >> 30} GiB"
        if self.root:
            return f"{self.kind}: each broker in a memory cgroup of {size}, filled before it works"
        return f"warmed: no memory cgroup can be made here; {size} of page cache touched and freed before each broker works"

    def group(self):
        """A group for one broker, or None."""
        if not self.root:
            return None
        self.count += 1
        return Cgroup(self.root, f"moldau-bench-{os.getpid()}-{self.count}", self.limit_file)

    def fill(self, group, folder):
        """Fills the group with clean pages (or warms the machine's): the pages of a file that is one hole."""
        path = os.path.join(folder, "hole")
        with open(path, "wb") as file:
            file.truncate(LIMIT)
        subprocess.run([sys.executable, "-c", _READ_THROUGH, path], check=True, stdin=subprocess.DEVNULL,
                       preexec_fn=group.enter if group else None)
        if not group:
            os.unlink(path)
