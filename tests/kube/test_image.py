"""The image itself: what is in it, and that the same programs make the same bytes."""

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "tests/client")]
from harness.suite import check, equal  # noqa: E402


class Archive:
    def __init__(self, path):
        with tarfile.open(path) as archive:
            self.members = {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}
        for name, data in self.members.items():
            if name.startswith("blobs/"):
                equal(hashlib.sha256(data).hexdigest(), name.rsplit("/", 1)[1], "the digest of a blob")
        index = json.loads(self.members["index.json"])["manifests"][0]
        self.name = index["annotations"]["io.containerd.image.name"]
        manifest = self.json(index["digest"])
        self.config = self.json(manifest["config"]["digest"])
        self.files = {}
        for layer in manifest["layers"]:
            data = gzip.decompress(self.blob(layer["digest"]))
            with tarfile.open(fileobj=io.BytesIO(data)) as entries:
                self.files.update({entry.name: entry for entry in entries})

    def blob(self, digest):
        return self.members["blobs/" + digest.replace(":", "/")]

    def json(self, digest):
        return json.loads(self.blob(digest))


def holds_what_it_should(path):
    """Our programs, the libraries they load, no shell; owned by root and not writable by others."""
    image = Archive(path)
    config = image.config["config"]
    equal(config["User"], "10001:10001", "the user")
    for label in ("title", "version", "revision", "source", "licenses"):
        check(config["Labels"].get("org.opencontainers.image." + label), f"no label {label}")
    for program in ("moldau", "moldau-broker", "moldau-controller", "moldau-ask", "moldau-operator"):
        check("usr/bin/" + program in image.files, f"no {program}")
    equal(sorted(name for name in image.files if name.startswith("usr/bin/") and "moldau" not in name), [], "other programs")
    check("usr/lib64/ld-linux-x86-64.so.2" in image.files, "no loader")
    check("etc/ssl/certs/ca-certificates.crt" in image.files, "no certificates")
    for name, entry in image.files.items():
        if name == "var/lib/moldau":
            equal(entry.uid, 10001, "the owner of the data")
        else:
            equal(entry.uid, 0, f"the owner of {name}")
        check(entry.issym() or name == "tmp" or not entry.mode & 0o022, f"{name} can be written by others")
        check(not entry.mode & 0o6000, f"{name} is set-uid")
    return f"{os.path.getsize(path) / 1e6:.1f} MB"


def is_reproducible(binaries):
    with tempfile.TemporaryDirectory() as folder:
        made = []
        for name in ("one.tar", "two.tar"):
            out = os.path.join(folder, name)
            result = subprocess.run([sys.executable, os.path.join(ROOT, "operator/image/image.py"), "--binaries", binaries,
                                     "--out", out], capture_output=True, text=True)
            equal(result.returncode, 0, result.stderr)
            with open(out, "rb") as file:
                made.append(hashlib.sha256(file.read()).hexdigest())
        equal(made[0], made[1], "two images of the same programs")


def run_image(suite, path, binaries):
    suite.run("image: holds our programs and nothing to attack with", lambda: holds_what_it_should(path))
    suite.run("image: the same programs make the same bytes", lambda: is_reproducible(binaries))
