"""Checks every #include against layers.txt: which folder may include which, and which third-party
headers may be seen where. Also: the allow-list itself has no cycle and names every folder there is."""

import os
import re
from collections import namedtuple

Layer = namedtuple("Layer", "folder kind may third_party")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
STANDARD = re.compile(r"^[a-z_0-9]+$")  # <vector>, <cstdint>
POSIX = re.compile(r"^(sys|netinet|arpa|linux)/|^(unistd|fcntl|errno|pthread|signal|poll|dirent|"
                   r"limits|string|stdlib|stdio|stddef|stdint|time|dlfcn|sched|getopt|immintrin|nmmintrin|"
                   r"arm_acle|netdb|malloc|termios|locale|execinfo|cxxabi)\.h$")
SYSTEM_FREE_KINDS = ("shell", "tests")  # may call the operating system


def read_layers(path):
    layers = []
    with open(path, encoding="utf-8") as file:
        lines = file.readlines()
    for line in lines:
        line = line.split("#")[0].strip()
        if not line:
            continue
        folder, kind, may, third_party = (part.strip() for part in line.split("|"))
        layers.append(Layer(folder, kind, may.split(), third_party.split()))
    return layers


def folder_of(path, layers):
    """The longest listed folder that holds `path`, or None."""
    best = None
    for layer in layers:
        if path.startswith(layer.folder + "/") and (best is None or len(layer.folder) > len(best.folder)):
            best = layer
    return best


def find_cycle(layers):
    graph = {l.folder: [m for m in l.may if m != "*" and m != l.folder and not m.endswith(".h")] for l in layers if l.kind != "tests"}
    done, path = set(), []

    def visit(folder):
        if folder in done or folder not in graph:
            return None
        if folder in path:
            return path[path.index(folder):] + [folder]
        path.append(folder)
        for other in graph[folder]:
            cycle = visit(other)
            if cycle:
                return cycle
        path.pop()
        done.add(folder)
        return None

    for folder in graph:
        cycle = visit(folder)
        if cycle:
            return cycle
    return None


def check_file(path, text, layers):
    layer = folder_of(path, layers)
    if layer is None:
        return [f"{path}: its folder is not in tests/lint/layers.txt"]
    may, third_party, kind = set(layer.may), list(layer.third_party), layer.kind
    if path.endswith(("_test.cc", "_mutants.cc")) or os.path.basename(path).startswith("test_"):
        extra = next(l for l in layers if l.folder == "*_test.cc")
        may |= set(extra.may)
        third_party += extra.third_party
        kind = "tests"
    name = os.path.basename(path)
    problems = []
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quote, target = match.groups()
        if quote == '"':
            if "*" in may:
                continue
            other = folder_of(target, layers)
            if other is None:
                problems.append(f'{path}:{number}: "{target}" is not a path from the root of the tree')
            elif other.folder != layer.folder and other.folder not in may and target not in may:
                problems.append(f"{path}:{number}: {layer.folder} may not include {other.folder} ({target})")
            continue
        if STANDARD.match(target) or "*" in third_party:
            continue
        if POSIX.match(target):
            if kind not in SYSTEM_FREE_KINDS:
                problems.append(f"{path}:{number}: {layer.folder} is {kind} code, <{target}> belongs to a shell")
            continue
        for entry in third_party:
            prefix, _, only = entry.partition("@")
            if target.startswith(prefix) and only in ("", name):
                break
        else:
            problems.append(f"{path}:{number}: {layer.folder} may not include <{target}>")
    return problems


def check(root, files):
    """Yields (name of the check, problems)."""
    layers = read_layers(os.path.join(root, "tests/lint/layers.txt"))
    cycle = find_cycle(layers)
    yield "layers: the allow-list has no cycle", [" -> ".join(cycle)] if cycle else []
    known = {l.folder for l in layers} | set(files)
    yield "layers: the allow-list names folders it knows", [
        f"layers.txt: {l.folder} lists {m}, which has no line" for l in layers for m in l.may
        if m != "*" and m not in known]
    problems = []
    for path in files:
        if path.endswith((".h", ".cc", ".c")):
            with open(os.path.join(root, path), encoding="utf-8") as file:
                problems += check_file(path, file.read(), layers)
    yield "layers: every #include is allowed", problems
