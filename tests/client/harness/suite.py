"""Runs tests: each is a function that raises to fail. Prints one line per test and, for a failure, what it
said; a test whose needs are not there is skipped by name."""

import concurrent.futures
import os
import sys
import threading
import time
import traceback

from harness.deps import Missing

LOCK = threading.Lock()


class Failed(AssertionError):
    """What a test found wrong. Its text is the report."""


def check(ok, what):
    if not ok:
        raise Failed(what)


def equal(got, want, what):
    if got != want:
        raise Failed(f"{what}: got {got!r}, want {want!r}")


class Suite:
    def __init__(self, only, must_run_all, logs):
        self.only, self.must_run_all, self.logs = only, must_run_all, logs
        self.passed = self.failed = self.skipped = 0
        os.makedirs(logs, exist_ok=True)

    def wants(self, name):
        return not self.only or any(word in name for word in self.only.split(","))

    def run(self, name, test):
        """Runs one test now. Returns True if it passed."""
        if not self.wants(name):
            return None
        began = time.monotonic()
        try:
            note = test() or ""
            verdict = "ok  "
        except Missing as reason:
            note, verdict = str(reason), "FAIL" if self.must_run_all else "skip"
        except Failed as failure:
            note, verdict = str(failure), "FAIL"
        except Exception:  # a test that breaks is a test that fails
            note, verdict = traceback.format_exc(), "FAIL"
        seconds = time.monotonic() - began
        with LOCK:
            self.passed += verdict == "ok  "
            self.failed += verdict == "FAIL"
            self.skipped += verdict == "skip"
            head, *more = note.rstrip().splitlines() or [""]
            print(f"{verdict}  {name} ({seconds:.1f} s){'  ' + head if head else ''}")
            for line in more[-60:]:
                print(f"        {line}")
            sys.stdout.flush()
        if verdict == "FAIL":
            with open(os.path.join(self.logs, name.replace("/", "-").replace(" ", "_").replace(":", "") + ".log"), "w") as file:
                file.write(note + "\n")
        return verdict == "ok  "

    def run_all(self, tests, at_once):
        """Runs (name, test) pairs, some at a time. Returns {name: passed}."""
        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            futures = {name: pool.submit(self.run, name, test) for name, test in tests}
            return {name: future.result() for name, future in futures.items()}

    def summary(self):
        return f"{self.passed} passed, {self.failed} failed" + (f", {self.skipped} skipped" if self.skipped else "")


def run_on_a_node(suite, context, kind, tests, make, settings=None):
    """Runs (name, test) pairs on what `make` gives for a node of their own, and whether the node lived through it all."""
    tests = [(f"{kind}: {name}", test) for name, test in tests if suite.wants(f"{kind}: {name}")]
    if not tests:
        return
    node = context.new_node(settings)
    holder = []

    def start():
        node.start()
        holder.append(make(node))
    if not suite.run(f"{kind}: a node of its own", start) and not holder:
        start()
    for name, test in tests:
        suite.run(name, lambda: test(holder[0]))
    suite.run(f"{kind}: the node lived through it all", lambda: check(node.alive(), node.log()[-3000:]))
    node.stop()
