"""The tree's tidiness: ratchets on length, the map in docs/architecture.md, tests that are built, what
may not be said outside shells, headers that say what they are. `tidy.py --update` rewrites the ratchet."""

import fnmatch
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from functions import blank, functions  # noqa: E402

FILE_LINES = 400      # "most under 400" (docs/style.md)
FUNCTION_LINES = 60   # one screen
BYTES = 1 << 20       # a file among sources
RATCHET = "tests/lint/ratchet.txt"

# The world is reached only through seams: clocks, threads, sleeps and entropy live in shells.
SHELLS = ("common/host/", "broker/shell/", "controller/shell/", "operator/shell/", "cli/", "tests/bench/", "tests/client/", "tests/crash/",
          "tests/sim/main.cc")
WORLD = [
    (re.compile(r"\bstd::j?thread\b(?!::id)"), "a thread"),
    (re.compile(r"\bstd::async\b|\bpthread_create\b"), "a thread"),
    (re.compile(r"\bsleep_(?:for|until)\b|\b(?:u|nano)?sleep\s*\("), "a sleep"),
    (re.compile(r"(?:clock|Clock)::now\s*\(|\bgettimeofday\s*\(|\bclock_gettime\s*\(|\bstd::time\s*\("), "a clock"),
    (re.compile(r"\brandom_device\b|\bgetrandom\s*\(|\barc4random\b"), "entropy"),
]
# A lock belongs to a node object or a shell, never to a core.
LOCK = re.compile(r"\bstd::(?:recursive_|shared_|timed_)*mutex\b|\bcondition_variable\b")
LOCKS_IN = SHELLS + ("broker/node/", "broker/log/", "controller/node/", "broker/broker", "controller/controller",
                     "broker/api/", "tests/")
VAGUE = re.compile(r"(?:^|/)(?:\w*_)?(?:utils?|helpers?|misc|manager|types)\.(?:h|cc)$")


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def is_code(path):
    return path.endswith((".h", ".cc", ".c"))


def measure(root, files):
    """Everything over its mark: {(kind, where): lines}."""
    over = {}
    for path in files:
        if not is_code(path):
            continue
        text = read(root, path)
        lines = text.count("\n")
        if lines > FILE_LINES:
            over["file", path] = lines
        for name, _, length in functions(text):
            if length > FUNCTION_LINES:
                key = ("function", f"{path}:{name}")
                over[key] = max(length, over.get(key, 0))
    return over


def read_ratchet(root):
    marks = {}
    for line in read(root, RATCHET).splitlines() if os.path.exists(os.path.join(root, RATCHET)) else []:
        parts = line.split("#")[0].split()
        if len(parts) == 3:
            marks[parts[0], parts[1]] = int(parts[2])
    return marks


def write_ratchet(root, marks):
    with open(os.path.join(root, RATCHET), "w", encoding="utf-8") as file:
        file.write(f"# What is over its mark ({FILE_LINES} lines a file, {FUNCTION_LINES} a function) and by how much: may shrink,\n"
                   "# not grow. After a cut run `python3 tests/lint/tidy.py --update`; it never raises a number.\n")
        for (kind, where), lines in sorted(marks.items()):
            file.write(f"{kind} {where} {lines}\n")


def check_ratchet(root, files):
    marks, over = read_ratchet(root), measure(root, files)
    problems = []
    for (kind, where), lines in sorted(over.items()):
        mark = FILE_LINES if kind == "file" else FUNCTION_LINES
        allowed = marks.get((kind, where), mark)
        if lines > allowed:
            problems.append(f"{where}: {lines} lines, at most {allowed}: split it (mark {mark} a {kind})")
    return problems


def check_stale_ratchet(root, files):
    over = measure(root, files)
    return [f"{RATCHET}: {kind} {where} is {over.get((kind, where), 'under the mark')}, listed as {lines}: run tidy.py --update"
            for (kind, where), lines in sorted(read_ratchet(root).items()) if over.get((kind, where), 0) < lines]


def source_folders(files):
    """Folders with C++ in them, and every folder right under tests/."""
    folders = {os.path.dirname(p) for p in files if is_code(p) and "testdata/" not in p}
    folders |= {"/".join(p.split("/")[:2]) for p in files if p.startswith("tests/") and p.count("/") > 1}
    return {f for f in folders if f and not f.startswith("tests/client/")}


def check_architecture(root, files):
    """Every folder is named in docs/architecture.md, and every path it names exists."""
    path = "docs/architecture.md"
    if path not in files:
        return [f"{path} is missing"]
    text = read(root, path)
    problems = [f"{path} does not name {folder}/" for folder in sorted(source_folders(files))
                if not re.search(r"(?<![\w/])" + re.escape(folder) + r"(?![\w])", text)]
    tops = {p.split("/")[0] for p in files if "/" in p}
    everything = set(files) | {os.path.dirname(p) for p in files}
    for p in list(everything):
        while "/" in p:
            p = os.path.dirname(p)
            everything.add(p)
    for named in sorted(set(re.findall(r"`([\w.\-]+(?:/[\w.\-]+)+/?)`", text))):
        named = named.rstrip("/")
        if named.split("/")[0] in tops and named not in everything:
            problems.append(f"{path} names {named}, which does not exist")
    return problems


def cmake_lists_for(path, files):
    folder = os.path.dirname(path)
    while True:
        lists = os.path.join(folder, "CMakeLists.txt") if folder else "CMakeLists.txt"
        if lists in files:
            return lists
        if not folder:
            return None
        folder = os.path.dirname(folder)


def check_built(root, files):
    """A test or fuzz target that no CMakeLists.txt names would pass by never running."""
    problems, known = [], set(files)
    for path in files:
        if not path.endswith(("_test.cc", "_fuzz.cc")) and not re.match(r"tests/fuzz/fuzz_\w+\.cc", path):
            continue
        lists = cmake_lists_for(path, known)
        relative = os.path.relpath(path, os.path.dirname(lists) or ".") if lists else path
        text = read(root, lists) if lists else ""
        for part in re.findall(r"include\((\w+\.cmake)\)", text):  # what a long list was split into
            text += read(root, os.path.join(os.path.dirname(lists), part))
        words = re.findall(r"[\w./*${}\-]+", text)
        stems = {relative, relative.removesuffix(".cc")}
        if not any(w in stems or ("*" in w and fnmatch.fnmatch(relative, w)) for w in words):
            problems.append(f"{path} is not named in {lists}")
    return problems


def check_world(root, files):
    problems = []
    for path in files:
        if not is_code(path):
            continue
        for number, line in enumerate(blank(read(root, path)).splitlines(), 1):
            if not path.startswith(SHELLS):
                problems += [f"{path}:{number}: {what} outside a shell" for rule, what in WORLD if rule.search(line)]
            if not path.startswith(LOCKS_IN) and not path.endswith("_test.cc") and LOCK.search(line):
                problems.append(f"{path}:{number}: a lock outside a node object or a shell")
    return problems


def check_words(root, files):
    problems = []
    outside = re.compile(r"\.\./" + r"shared\b|/work/" + r"shared\b")
    todo = re.compile(r"\bFIX" + r"ME\b|\bTO" + r"DO\b(?!\(#\d+\))|\bX" + r"XX\b")
    for path in files:
        if "testdata/" in path or path.endswith((".bin", ".png")):
            continue
        for number, line in enumerate(read(root, path).splitlines(), 1):
            if outside.search(line):
                problems.append(f"{path}:{number}: names a folder outside the repository")
            if todo.search(line) and not path.startswith("tests/lint/") and not path.endswith(".md"):
                problems.append(f"{path}:{number}: work left undone needs an issue: TO" + "DO(#123)")
    return problems


def check_headers_speak(root, files):
    problems = []
    for path in files:
        if not path.endswith(".h"):
            continue
        text = read(root, path)
        if not text.startswith("//"):
            problems.append(f"{path}: opens with a comment that says what it is")
        if "#pragma once" not in text:
            problems.append(f"{path}: no #pragma once")
    return problems


def check_one_definition(root, files):
    """Two classes of one name in one namespace, each in its header: linked together, either stands for both."""
    seen, problems = {}, []
    for path in files:
        if not path.endswith(".h"):
            continue
        spaces = []
        for line in read(root, path).splitlines():
            if match := re.match(r"(?:inline )?namespace ([\w:]+) \{", line):
                spaces.append(match[1])
            elif spaces and re.match(r"\}  // namespace \w", line):
                spaces.pop()
            elif match := re.match(r"(?:class|struct) (\w+)(?: final)?(?: :.*)?\s*\{", line):
                name = "::".join(spaces + [match[1]])
                if name in seen:
                    problems.append(f"{path}: {name} is defined in {seen[name]} too")
                seen[name] = path
    return problems


def check_names(root, files):
    problems = [f"{path}: name the job, not `{os.path.basename(path)}`" for path in files if VAGUE.search(path)]
    problems += [f"{path}: files are snake_case" for path in files
                 if is_code(path) and not re.fullmatch(r"[a-z0-9_]+\.(?:h|cc|c)", os.path.basename(path))]
    return problems


def check_sizes(root, files):
    return [f"{path}: {os.path.getsize(os.path.join(root, path))} bytes is too much for a source tree"
            for path in files if os.path.getsize(os.path.join(root, path)) > BYTES]


def check(root, files):
    """Yields (name of the check, problems)."""
    yield "tidy: nothing grew over its mark", check_ratchet(root, files)
    yield "tidy: the ratchet is up to date", check_stale_ratchet(root, files)
    yield "tidy: docs/architecture.md is a true map", check_architecture(root, files)
    yield "tidy: every test is built", check_built(root, files)
    yield "tidy: clocks, threads, sleeps, entropy and locks in their places", check_world(root, files)
    yield "tidy: no paths out of the tree, no work left undone", check_words(root, files)
    yield "tidy: every header says what it is", check_headers_speak(root, files)
    yield "tidy: no two headers define one name", check_one_definition(root, files)
    yield "tidy: files are named after their job", check_names(root, files)
    yield "tidy: no big files", check_sizes(root, files)


def main():
    from tree import ROOT, tracked
    files = tracked()
    marks, over = read_ratchet(ROOT), measure(ROOT, files)
    if sys.argv[1:] == ["--init"]:  # for the day a mark is lowered: takes the tree as it is
        write_ratchet(ROOT, over)
    elif sys.argv[1:] == ["--update"]:
        write_ratchet(ROOT, {key: min(lines, over[key]) for key, lines in marks.items() if key in over})
    else:
        sys.exit("usage: tidy.py --update | --init")


if __name__ == "__main__":
    main()
