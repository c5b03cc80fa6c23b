#!/usr/bin/env python3
"""A lab: a real Kubernetes on this machine without Docker, each node and the control plane in namespaces of its own.
What it runs is one Go program, built on first use from tests/kube/lab and cached.

usage: lab.py build | up | down [--keep] | load FILE.tar | sh NODE [COMMAND...]   (NODE: n1, n2 ... or cp)
       --dir DIRECTORY (default /tmp/moldau-kube)   --nodes N   --port P   --image FILE.tar (imported as it starts)"""

import argparse
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SOURCES = os.path.join(HERE, "lab")
CACHE = os.environ.get("MOLDAU_KUBE_CACHE") or os.path.expanduser("~/.cache/kubelab")
KUBERNETES = "1.34.4"
sys.path[:0] = [os.path.join(ROOT, "tests/client"), os.path.join(ROOT, "operator/image")]
from harness import deps  # noqa: E402
import oci  # noqa: E402


def sources():
    return sorted(path for pattern in ("*.go", "go.mod", "go.sum", "pause.c") for path in glob.glob(f"{SOURCES}/{pattern}"))


def go_build(tool, folder, out, package, version=""):
    # More memory for the compilers' garbage collectors: a fifth less processor time.
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOTOOLCHAIN": "local",
                   "GOGC": "400"}
    command = [tool, "build", "-mod=readonly", "-buildvcs=false", "-gcflags=all=-dwarf=false", "-o",
               os.path.join(folder, out), f"-ldflags=-s -w {version}", package]
    result = subprocess.run(command, cwd=os.path.join(folder, "source"), env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                            text=True, timeout=3400)
    if result.returncode:
        raise RuntimeError(f"go build {package}:\n{result.stderr[-3000:]}")


def build():
    """The folder with kubelab, kubectl, helm and pause.tar."""
    os.makedirs(CACHE, exist_ok=True)
    folder = os.path.join(CACHE, "bin-" + deps.digest(*sources()))
    with deps.once(folder) as fill:
        if fill:
            began = time.monotonic()
            print("kube: building Kubernetes from its sources, once; some minutes", file=sys.stderr, flush=True)
            tool = deps.go_tool(True)
            os.makedirs(os.path.join(folder, "source"))
            for path in sources():
                shutil.copy(path, os.path.join(folder, "source"))
            at = "k8s.io/component-base/version"
            major, minor, _ = KUBERNETES.split(".")
            fields = {"gitVersion": "v" + KUBERNETES, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean",
                      "gitCommit": "0" * 40, "buildDate": "2026-01-01T00:00:00Z"}
            go_build(tool, folder, "kubelab", ".",
                     " ".join(f"-X {at}.{key}={value}" for key, value in fields.items()))
            go_build(tool, folder, "helm", "helm.sh/helm/v3/cmd/helm")
            os.symlink("kubelab", os.path.join(folder, "kubectl"))
            pause_image(folder)
            print(f"kube: built in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return folder


def pause_image(folder):
    """The first process of every pod."""
    with tempfile.TemporaryDirectory() as scratch:
        program = os.path.join(scratch, "pause")
        subprocess.run(["clang-19", "-Os", "-static", "-s", "-o", program, os.path.join(SOURCES, "pause.c")], check=True)
        tree = oci.Tree()
        tree.file("pause", program)
        oci.write_archive(os.path.join(folder, "pause.tar"), "localhost/pause:1", [tree],
                          {"Entrypoint": ["/pause"], "User": "65535:65535"})


class Lab:
    def __init__(self, directory="/tmp/moldau-kube", nodes=3, port=16443):
        self.directory, self.nodes, self.port = os.path.abspath(directory), nodes, port
        self.kubeconfig = os.path.join(self.directory, "kubeconfig")
        self.bin = None
        if os.path.exists(self.kubeconfig):  # it keeps the port that it was made with
            with open(self.kubeconfig) as file:
                self.port = int(re.search(r"https://127.0.0.1:(\d+)", file.read()).group(1))

    def environment(self):
        self.bin = self.bin or build()
        return {**os.environ, "KUBELAB_DIR": self.directory, "KUBELAB_BIN": self.bin, "KUBELAB_NODES": str(self.nodes),
                "KUBELAB_PORT": str(self.port), "KUBECONFIG": self.kubeconfig,
                "PATH": self.bin + os.pathsep + os.environ["PATH"]}

    def script(self, name, *arguments, timeout=300, **options):
        return subprocess.run([os.path.join(SOURCES, name + ".sh"), *arguments], env=self.environment(),
                              stdin=subprocess.DEVNULL, timeout=timeout, text=True, **options)

    def up(self, images=()):
        """Starts what does not run yet. Images are imported by each node as it starts."""
        os.makedirs(os.path.join(self.directory, "images"), exist_ok=True)
        for image in images:
            shutil.copy(image, os.path.join(self.directory, "images", os.path.basename(image)))
        result = self.script("up", capture_output=True)
        if result.returncode:
            raise RuntimeError(f"the lab does not start:\n{result.stdout[-2000:]}{result.stderr[-4000:]}")
        return self.kubeconfig

    def down(self, keep=False):
        self.script("down", *(["--keep"] if keep else []), check=True)

    def load(self, image):
        """Imports an image into every node that runs."""
        shutil.copy(image, os.path.join(self.directory, "images", os.path.basename(image)))
        for node in range(1, self.nodes + 1):
            self.enter(f"n{node}", "ctr", "-n", "k8s.io", "images", "import", os.path.abspath(image))

    def enter(self, name, *command, timeout=120):
        """Runs a command inside a node, or inside the control plane (cp). Returns what it printed."""
        result = self.script("enter", name, *command, capture_output=True, timeout=timeout)
        if result.returncode:
            raise RuntimeError(f"{name}: {' '.join(command)}: {result.stderr.strip()[-1000:]}")
        return result.stdout

    def kill_node(self, name):
        """As if its plug was pulled: nobody is told. up() brings it back."""
        self.cut(name, True)
        with open(os.path.join(self.directory, name + ".pid")) as file:
            os.kill(int(file.read()), signal.SIGKILL)

    def cut(self, name, on):
        """Takes a node off the network, or puts it back."""
        self.enter("cp", "ip", "link", "set", name, "down" if on else "up")

    def run(self, *command, timeout=120):
        """kubectl or helm, as built with the lab, for the lab. Returns what it printed."""
        result = subprocess.run(command, env=self.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=timeout)
        if result.returncode:
            raise RuntimeError(f"{' '.join(command)}: {result.stderr.strip()[-2000:]}")
        return result.stdout

    def kubectl(self, *arguments, timeout=120):
        return self.run("kubectl", *arguments, timeout=timeout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["build", "up", "down", "load", "sh"])
    parser.add_argument("arguments", nargs="*")
    parser.add_argument("--dir", default=os.environ.get("MOLDAU_KUBE_DIR") or "/tmp/moldau-kube")
    parser.add_argument("--nodes", type=int, default=3, choices=range(1, 10))
    parser.add_argument("--port", type=int, default=16443)
    parser.add_argument("--image", action="append", default=[])
    parser.add_argument("--keep", action="store_true")
    words = sys.argv[1:]
    inside = words.index("sh") + 1 if "sh" in words else len(words)  # what follows is another program's
    arguments = parser.parse_args(words[:inside])
    rest = arguments.arguments + words[inside:]
    lab = Lab(arguments.dir, arguments.nodes, arguments.port)
    if arguments.command == "build":
        print(build())
    elif arguments.command == "up":
        began = time.monotonic()
        lab.up(arguments.image)
        print(f"kube: {lab.nodes} nodes ready after {time.monotonic() - began:.1f} s", file=sys.stderr)
        print(lab.kubeconfig)
    elif arguments.command == "down":
        lab.down(arguments.keep)
    elif arguments.command == "load":
        for image in rest:
            lab.load(image)
    else:
        name, *command = rest or ["n1"]
        os.execve(os.path.join(SOURCES, "enter.sh"), ["enter.sh", name, *(command or ["bash"])], lab.environment())


if __name__ == "__main__":
    main()
