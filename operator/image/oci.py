"""Writes OCI image archives (`ctr images import`, `skopeo copy oci-archive:`, `docker load` read them) with nothing but
Python. The same files give the same bytes: owners and times are zero, names are sorted.

A layer is a Tree: what stands where in the image, whether it comes from a file of this machine or from a string."""

import gzip
import hashlib
import io
import json
import os
import stat
import tarfile


class Tree:
    """Files, folders and links of one layer by their path in the image, without the leading slash."""

    def __init__(self):
        self.entries = {}

    def file(self, path, source):
        """A copy of a file of this machine; who may execute it may do so in the image."""
        mode = 0o755 if os.stat(source).st_mode & stat.S_IXUSR else 0o644
        with open(source, "rb") as file:
            self.entries[path] = (tarfile.REGTYPE, mode, file.read(), "")

    def text(self, path, content, mode=0o644):
        self.entries[path] = (tarfile.REGTYPE, mode, content.encode(), "")

    def link(self, path, target):
        self.entries[path] = (tarfile.SYMTYPE, 0o777, b"", target)

    def folder(self, path, mode=0o755, owner=0):
        self.entries[path] = (tarfile.DIRTYPE, mode, b"", str(owner))

    def tar(self):
        """The layer's bytes, uncompressed."""
        out = io.BytesIO()
        entries = dict(self.entries)
        for path in self.entries:
            while path := os.path.dirname(path):
                entries.setdefault(path, (tarfile.DIRTYPE, 0o755, b"", "0"))
        with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for path, (kind, mode, content, extra) in sorted(entries.items()):
                entry = tarfile.TarInfo(path)
                entry.type, entry.mode, entry.size = kind, mode, len(content)
                if kind == tarfile.SYMTYPE:
                    entry.linkname = extra
                elif kind == tarfile.DIRTYPE:
                    entry.uid = entry.gid = int(extra)
                archive.addfile(entry, io.BytesIO(content))
        return out.getvalue()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def write_archive(path, name, trees, config, architecture="amd64"):
    """One image of these layers, the lowest first. `config` is what OCI calls config: User, Entrypoint, Labels ...
    Returns (digest of the image, bytes of all layers unpacked)."""
    blobs, unpacked = {}, 0

    def blob(media_type, data):
        blobs[digest(data)] = data
        return {"mediaType": media_type, "digest": digest(data), "size": len(data)}

    layers, diff_ids = [], []
    for tree in trees:
        data = tree.tar()
        unpacked += len(data)
        diff_ids.append(digest(data))
        layers.append(blob("application/vnd.oci.image.layer.v1.tar+gzip", gzip.compress(data, 6, mtime=0)))
    encode = lambda value: json.dumps(value, sort_keys=True).encode()  # noqa: E731
    described = blob("application/vnd.oci.image.config.v1+json", encode({
        "architecture": architecture, "os": "linux", "created": "1970-01-01T00:00:00Z", "config": config,
        "rootfs": {"type": "layers", "diff_ids": diff_ids}}))
    manifest = blob("application/vnd.oci.image.manifest.v1+json", encode({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": described,
        "layers": layers}))
    index = {"schemaVersion": 2, "manifests": [{**manifest, "annotations": {
        "io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rsplit(":", 1)[1]}}]}
    with tarfile.open(path + ".new", "w", format=tarfile.USTAR_FORMAT) as archive:
        for member, data in [("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'), ("index.json", encode(index)),
                             *(("blobs/" + key.replace(":", "/"), data) for key, data in sorted(blobs.items()))]:
            entry = tarfile.TarInfo(member)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    os.rename(path + ".new", path)
    return manifest["digest"], unpacked
