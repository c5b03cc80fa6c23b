#!/usr/bin/env python3
"""Builds the container image of Moldau from built programs, without a container engine.

usage: image.py --binaries DIRECTORY --out FILE.tar [--name localhost/moldau:dev]

Two layers: the system below (libraries, certificates, the user), our programs above. An image larger than 60 MB, in
the archive or unpacked, is refused."""

import argparse
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import oci  # noqa: E402
import programs  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = ["moldau", "moldau-broker", "moldau-controller", "moldau-operator", "moldau-ask"]
BYTES_MAX = 60 * 1000 * 1000
USER = 10001


def revision():
    """The commit that the tree stands at; -dirty when it holds more than that."""
    def git(*arguments):
        return subprocess.run(["git", "-C", ROOT, "-c", f"safe.directory={ROOT}", *arguments], capture_output=True,
                              text=True).stdout.strip()
    return (git("rev-parse", "HEAD") or "unknown") + ("-dirty" if git("status", "--porcelain", "-uno") else "")


def licenses():
    """As SPDX names them: what the tree's LICENSE says of itself; a tree without one grants none."""
    try:
        with open(os.path.join(ROOT, "LICENSE")) as file:
            return "Apache-2.0" if "Apache License" in file.read(2000) else "LicenseRef-Moldau"
    except FileNotFoundError:
        return "NONE"


def labels(tag):
    return {
        "org.opencontainers.image.title": "Moldau",
        "org.opencontainers.image.description": "A Kafka-compatible broker, its controller, operator and command line",
        "org.opencontainers.image.version": tag,
        "org.opencontainers.image.revision": revision(),
        "org.opencontainers.image.source": "https://moldau.dev",
        "org.opencontainers.image.licenses": licenses(),
    }


def build(binaries, out, name):
    paths = [path for path in (os.path.join(binaries, each) for each in PROGRAMS) if os.path.exists(path)]
    if not paths:
        sys.exit(f"image: no program in {binaries}")
    system, ours = oci.Tree(), oci.Tree()
    programs.add_system(system, paths)
    system.folder("var/lib/moldau", 0o755, USER)
    system.folder("etc/moldau")
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            ours.file("usr/bin/" + os.path.basename(path), programs.stripped(path, folder))
    identity, unpacked = oci.write_archive(out, name, [system, ours], {
        "User": f"{USER}:{USER}", "WorkingDir": "/", "Cmd": ["moldau"], "Labels": labels(name.rsplit(":", 1)[1]),
        "Env": ["PATH=/usr/bin", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"],
        "ExposedPorts": {"9092/tcp": {}, "9094/tcp": {}, "9644/tcp": {}}, "StopSignal": "SIGTERM"})
    return identity, os.path.getsize(out), unpacked, [os.path.basename(path) for path in paths]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binaries", default=os.path.join(ROOT, "build/release/bin"))
    parser.add_argument("--out", default=os.path.join(ROOT, "build/image/moldau.tar"))
    parser.add_argument("--name", default="localhost/moldau:dev")
    arguments = parser.parse_args()
    if not re.fullmatch(r"[a-z0-9./-]+:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", arguments.name):
        sys.exit(f"image: {arguments.name} is no NAME:TAG")
    os.makedirs(os.path.dirname(os.path.abspath(arguments.out)), exist_ok=True)
    identity, packed, unpacked, held = build(arguments.binaries, arguments.out, arguments.name)
    print(f"{arguments.name} {identity}\n{arguments.out}: {packed / 1e6:.1f} MB, {unpacked / 1e6:.1f} MB unpacked: "
          f"{' '.join(held)}")
    if max(packed, unpacked) > BYTES_MAX:
        os.remove(arguments.out)
        sys.exit(f"image: more than {BYTES_MAX // 1000000} MB")


if __name__ == "__main__":
    main()
