"""What a program needs beside itself: its shared libraries, the loader, who wrote them."""

import os
import re
import subprocess


def run(*command):
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)}: {result.stderr.strip()}")
    return result.stdout


def libraries(programs):
    """{path in the image: file of this machine} of the shared libraries that these programs load, and of the loader."""
    found = {}
    for program in programs:
        text = run("ldd", program)
        if "not found" in text:
            raise RuntimeError(f"{program} misses a library:\n{text}")
        for name, path in re.findall(r"^\s*(\S+)(?: => (\S+))? \(0x", text, re.MULTILINE):
            path = path or name
            if not path.startswith("/"):
                continue  # the kernel's own
            # /lib is a link to /usr/lib in the image as on this machine; the loader keeps the name that programs know.
            # What lies elsewhere here goes to where the loader looks.
            place = re.sub(r"^/usr", "", path)
            place = "usr" + place if place.startswith("/lib") else "usr/lib/" + os.path.basename(path)
            found[place] = os.path.realpath(path)
    return found


def copyrights(files):
    """{path in the image: file} of the Debian copyright files of the packages that these files belong to."""
    packages = set()
    names = {path for file in files for path in (file, re.sub(r"^/usr", "", file))}
    out = subprocess.run(["dpkg-query", "-S", *sorted(names)], capture_output=True, text=True).stdout
    for line in out.splitlines():
        packages.update(name.split(":")[0].strip() for name in line.rpartition(": ")[0].split(","))
    found = {}
    for package in sorted(packages):
        path = f"/usr/share/doc/{package}/copyright"
        if os.path.exists(path):
            found[path[1:]] = os.path.realpath(path)
    return found


def stripped(program, folder):
    """A copy without symbols: the names of functions stay in the build's own file."""
    out = os.path.join(folder, os.path.basename(program))
    for tool in ("llvm-strip-19", "strip"):
        try:
            run(tool, "-o", out, program)
            return out
        except FileNotFoundError:
            continue
    raise RuntimeError("neither llvm-strip-19 nor strip is installed")


def add_system(tree, programs):
    """The root of an image that can run these programs and nothing else: no shell, no package manager."""
    for path, file in libraries(programs).items():
        tree.file(path, file)
    for path, file in copyrights(libraries(programs).values()).items():
        tree.file(path, file)
    for name in ("bin", "lib", "lib64", "sbin"):
        tree.folder("usr/" + name)
        tree.link(name, "usr/" + name)
    tree.file("etc/ssl/certs/ca-certificates.crt", "/etc/ssl/certs/ca-certificates.crt")
    tree.text("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
    tree.text("etc/passwd", "root:x:0:0:root:/:/sbin/nologin\nmoldau:x:10001:10001:Moldau:/var/lib/moldau:/sbin/nologin\n")
    tree.text("etc/group", "root:x:0:\nmoldau:x:10001:\n")
    tree.folder("tmp", 0o1777)
