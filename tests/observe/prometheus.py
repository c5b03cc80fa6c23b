"""Debian's Prometheus: its programs, unpacked into the cache (installing the package would start a daemon), and one
running server on 127.0.0.1 that scrapes what a test names."""

import glob
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/client"))
from harness import deps, node as nodes  # noqa: E402


def programs():
    """(prometheus, promtool)"""
    found = [shutil.which(name) for name in ("prometheus", "promtool")]
    if all(found):
        return found
    folder = os.path.join(deps.CACHE, "prometheus")
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise deps.Missing("no prometheus here, and no apt-get to fetch Debian's with")
    with deps.once(folder) as fill:
        if fill:
            try:
                # As root apt would hand the download to a user who may not write here, and complain.
                deps.call("apt-get", "-o", "APT::Sandbox::User=root", "download", "prometheus", cwd=folder)
            except RuntimeError as error:
                raise deps.Missing(f"prometheus could not be fetched: {str(error)[-300:]}") from error
            deps.call("dpkg-deb", "-x", *glob.glob(os.path.join(folder, "*.deb")), folder)
    return [os.path.join(folder, "usr/bin", name) for name in ("prometheus", "promtool")]


class Prometheus:
    def __init__(self, folder, rules, targets, every="3s", jobs=()):
        """`targets`: [(address, {label: value})]. `rules`: paths. `jobs`: more scrape_configs."""
        self.folder, self.port = folder, nodes.free_port()
        self.process = None
        os.makedirs(folder, exist_ok=True)
        config = {"global": {"scrape_interval": every, "evaluation_interval": every, "scrape_timeout": every},
                  "rule_files": rules,
                  "scrape_configs": [{"job_name": "moldau", "static_configs": [
                      {"targets": [address], "labels": labels} for address, labels in targets]}, *jobs]}
        self.config = os.path.join(folder, "prometheus.yml")
        with open(self.config, "w") as file:
            json.dump(config, file)  # which is YAML

    def start(self):
        program, promtool = programs()
        deps.call(promtool, "check", "config", self.config)
        with open(os.path.join(self.folder, "prometheus.log"), "w") as log:
            self.process = subprocess.Popen(
                [program, f"--config.file={self.config}", f"--storage.tsdb.path={self.folder}/tsdb",
                 f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        nodes.STARTED.append(self.process)
        began = time.monotonic()
        while True:
            try:
                self.get("/-/ready")
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() - began > 30:
                    with open(os.path.join(self.folder, "prometheus.log")) as log:
                        raise RuntimeError("prometheus does not start:\n" + log.read()[-3000:]) from None
                time.sleep(0.1)

    def get(self, path, **query):
        url = f"http://127.0.0.1:{self.port}{path}" + ("?" + urllib.parse.urlencode(query) if query else "")
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.read().decode()

    def ask(self, expression):
        """[(labels, value)] of now. A query that Prometheus refuses raises with what it said."""
        try:
            answer = json.loads(self.get("/api/v1/query", query=expression))
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{expression}: {error.read().decode()[:500]}") from error
        data = answer["data"]
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        return [(each["metric"], float(each["value"][1])) for each in data["result"]]

    def firing(self):
        alerts = json.loads(self.get("/api/v1/alerts"))["data"]["alerts"]
        return {each["labels"]["alertname"] for each in alerts if each["state"] == "firing"}

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
