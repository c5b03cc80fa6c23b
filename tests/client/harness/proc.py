"""Runs a client or tool to its end, with a bound on its time."""

import os
import signal
import subprocess

from harness.suite import Failed


class GaveUp(Failed):
    """It ended by itself, and said that it did not succeed."""


class Result:
    def __init__(self, command, status, out, err):
        self.command, self.status, self.out, self.err = command, status, out, err

    def text(self):
        out = "\n".join(line[:400] for line in self.out.splitlines() if not line.startswith("read\t"))
        return f"$ {' '.join(map(str, self.command))}\nexit status {self.status}\n{out[-4000:]}\n{self.err[-4000:]}".rstrip()


def run(command, timeout=90, stdin=None, ok=True, env=None, cwd=None):
    """Runs it; raises Failed when it does not end in time or, with `ok`, when its status is not 0."""
    process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", cwd=cwd,
                               start_new_session=True, env={**os.environ, **(env or {})})
    try:
        out, err = process.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        raise Failed(f"did not end in {timeout} s\n" + Result(command, "killed", out, err).text()) from None
    result = Result(command, process.returncode, out, err)
    if ok and process.returncode:
        raise GaveUp("failed\n" + result.text())
    return result
