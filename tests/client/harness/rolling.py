"""Brokers of a cluster that are restarted in turn for as long as something else goes on: each is ended by SIGTERM when
the cluster says that it may be (`moldau broker may-restart`, the rule that an operator would follow), started, and the
next one's turn comes when that one may."""

import itertools
import subprocess
import threading
import time

from harness.suite import check

PAUSE = 3  # seconds until the next one's turn: a group that moves with each restart would never come to rest
PATIENCE = 60  # seconds until the cluster is whole again, on a slow machine


class Rolling:
    """`with Rolling(cluster) as rolling:` restarts brokers until the block ends; what goes wrong with it is raised by
    await_end()."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.restarts, self.slowest, self.waited = 0, 0.0, 0.0
        self.ended, self.error = threading.Event(), None
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join(3 * PATIENCE)

    def await_end(self):
        """Ends the restarts when every broker had its turn, with all of them up and in sync."""
        self.__exit__()
        check(not self.thread.is_alive(), f"the restarts do not end: {self.so_far()}")
        if self.error:
            raise self.error

    def run(self):
        try:
            for number in itertools.cycle([1, 2, 3]):
                self.waited = max(self.waited, self.await_leave(number))
                if self.ended.is_set() and self.restarts >= 3:
                    return
                began = time.monotonic()
                self.cluster.dev("stop", number)
                self.cluster.dev("restart", number)
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.restarts += 1
                self.ended.wait(PAUSE)
        except Exception as error:  # whatever it is, await_end() tells it
            self.error = error

    def await_leave(self, number):
        """Returns the seconds until the broker may be restarted."""
        began = time.monotonic()
        while True:
            answer = subprocess.run([self.cluster.binary, "broker", "may-restart", str(number), "--brokers",
                                     self.cluster.bootstrap], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                    timeout=60)
            took = time.monotonic() - began
            if answer.returncode == 0:
                return took
            check(took < PATIENCE, f"broker {number} may not be restarted for {took:.0f} s:\n{answer.stdout}{answer.stderr}")
            time.sleep(0.1)

    def so_far(self):
        return f"{self.restarts} restarts of at most {self.slowest:.1f} s, whole again in at most {self.waited:.1f} s"
